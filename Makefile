# Short names for what CMake's presets do (CMakePresets.json). `make` builds build/align and build/libalign.so.
#
#   make            build the command and the libraries        make install PREFIX=/usr/local   put them there
#   make demo       classify the pictures of the repository    make format    clang-format over our code
#   make test       build and run every test                   make lint      the rules of the house (tools/lint.sh)
#   make bench      time it, beside other engines              make tidy      clang-tidy (minutes)
#   make sanitize   the tests under ASan and UBSan             make clean     remove every build folder
#   make hostile    ten thousand hostile requests to the server under ASan and UBSan (SEED=1)
#   make goldens    the expected outputs anew (needs Python)   make bootstrap install missing Debian packages
#   make aarch64    the tests of the numbers on 64-bit Arm, cross-compiled and run under qemu

PREFIX ?= /usr/local
JOBS   ?= $(shell nproc)
PYTHON ?= python3
SEED   ?= 1

.PHONY: all bootstrap demo test bench sanitize hostile thread aarch64 install format lint tidy goldens clean

all: build/build.ninja
	@cmake --build build --target align_cli align_shared align_static

# Configures a preset; its build folder is build, or build-<preset>.
build/build.ninja: CMakePresets.json
	@$(MAKE) --no-print-directory bootstrap
	@cmake --preset release
build-%/build.ninja: CMakePresets.json
	@$(MAKE) --no-print-directory bootstrap
	@cmake --preset $*

bootstrap:
	@tools/bootstrap.sh

demo: all
	@tools/demo.sh

test: build/build.ninja
	@cmake --build build
	@ctest --preset release -j $(JOBS)

bench: all
	@cmake --build build --target bench_preparation
	@PYTHON=$(PYTHON) tools/bench.sh

sanitize: build-sanitize/build.ninja
	@cmake --build build-sanitize
	@ctest --preset sanitize -j $(JOBS) -E full_size.ref

hostile: build-sanitize/build.ninja
	@cmake --build build-sanitize --target test_server_hostile
	@build-sanitize/tests/test_server_hostile 10000 $(SEED)

thread: build-thread/build.ninja
	@cmake --build build-thread
	@ctest --preset thread -j $(JOBS) -E full_size

aarch64:
	@tools/bootstrap.sh --aarch64
	@cmake --preset aarch64
	@cmake --build build-aarch64
	@ctest --preset aarch64 -j $(JOBS) -L 'base|kernels|layers|model' -E full_size

# The command remembers the prefix: it looks for the model that ships there when the source folder is gone.
install: build/build.ninja
	@cmake --preset release -DCMAKE_INSTALL_PREFIX=$(abspath $(PREFIX))
	@cmake --build build --target align_cli align_shared align_static
	@cmake --install build

format:
	@git ls-files '*.c' '*.h' | xargs tools/handwritten.sh | xargs clang-format -i

lint:
	@tools/lint.sh

tidy: build/build.ninja
	@git ls-files 'src/*.c' 'apps/*.c' | xargs tools/handwritten.sh | xargs run-clang-tidy -quiet -p build

goldens:
	cd tests/reference && $(PYTHON) make_models.py --out ../golden/models
	cd tests/reference && $(PYTHON) make_hub_folder.py --out ../golden/hub

clean:
	@rm -rf build build-*
