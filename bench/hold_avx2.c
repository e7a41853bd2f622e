/*
 * hold_avx2.c: lets a program believe that its CPU ends at AVX2 with FMA. compare.py preloads it (LD_PRELOAD) into the
 * engines that it compares on such a machine.
 *
 * The settings of the engines do not suffice: ONEDNN_MAX_CPU_ISA holds oneDNN, but not MLAS, which multiplies the
 * matrices of ONNX Runtime and of OpenVINO's text tower and asks the CPU itself. So the instruction that asks, cpuid,
 * is made to fault (arch_prctl; Intel only), and the answer is given without what is newer. Threads inherit it. Only
 * libc, which has asked before, still copies memory with AVX-512.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012
#define CPUID_FAULTS   0
#define CPUID_ANSWERS  1

static const unsigned char cpuid_instruction[] = {0x0f, 0xa2};

/* What is hidden: bits of eax, ebx, ecx and edx, by leaf and subleaf. */
static const struct hidden {
    uint32_t leaf, subleaf, bits[4];
} hidden[] = {
    {7, 0, {0, 0xdc230000, 0x00005842, 0x03c0010c}}, /* AVX-512 and its parts; tiles */
    {7, 1, {0x00a00030, 0, 0, 0x00000530}},          /* AVX-VNNI, AVX-IFMA, bf16; more of tiles */
    {13, 0, {0x000600e0, 0, 0, 0}},                  /* their registers */
};

static void answer(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, CPUID_ANSWERS);
    __cpuid_count(leaf, subleaf, out[0], out[1], out[2], out[3]);
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, CPUID_FAULTS);
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        for (int r = 0; r < 4 && hidden[i].leaf == leaf && hidden[i].subleaf == subleaf; r++)
            out[r] &= ~hidden[i].bits[r];
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *at = (const unsigned char *)(uintptr_t)registers[REG_RIP];
    if (at[0] != cpuid_instruction[0] || at[1] != cpuid_instruction[1]) {
        signal(number, SIG_DFL); /* a fault like any other: it comes again */
        return;
    }
    uint32_t out[4];
    answer((uint32_t)registers[REG_RAX], (uint32_t)registers[REG_RCX], out);
    registers[REG_RAX] = out[0];
    registers[REG_RBX] = out[1];
    registers[REG_RCX] = out[2];
    registers[REG_RDX] = out[3];
    registers[REG_RIP] += (greg_t)sizeof cpuid_instruction;
}

__attribute__((constructor)) static void hold(void)
{
    const struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (sigaction(SIGSEGV, &action, NULL) || syscall(SYS_arch_prctl, ARCH_SET_CPUID, CPUID_FAULTS))
        _exit(EXIT_FAILURE); /* better no measurement than one that says what it is not */
}
