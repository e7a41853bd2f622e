/* classify.c MODEL PICTURE TEXT...: what a program that uses the installed library looks like (README.md). */
#include <align/align.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    align_error err = ALIGN_ERROR_INIT;
    align_processor *processor = NULL;
    align_model *model = NULL;
    align_context *context = NULL;
    align_image picture = {0, 0, 0, NULL};
    align_tensors *batch = NULL;
    align_inputs inputs = ALIGN_INPUTS_INIT;
    align_output out;
    const char *const *texts = (const char *const *)argv + 3;
    int status = 1, n = argc - 3;

    if (argc < 4 || align_processor_from_pretrained(&processor, argv[1], &err) ||
        align_model_from_pretrained(&model, argv[1], NULL, &err) || align_context_new(&context, model, NULL, &err) ||
        align_image_open(&picture, argv[2], NULL, &err) ||
        align_processor_call(processor, texts, NULL, (size_t)n, &picture, 1, NULL, &batch, &err))
        goto done;
    inputs.input_ids = *align_tensors_get(batch, "input_ids");
    inputs.attention_mask = *align_tensors_get(batch, "attention_mask");
    inputs.pixel_values = *align_tensors_get(batch, "pixel_values");
    if (align_model_forward(context, &inputs, NULL, &out, &err))
        goto done;
    for (int i = 0; i < n; i++)
        printf("%8.4f  %s\n", (double)((const float *)out.logits_per_image.data)[i], texts[i]);
    status = 0;
done:
    if (status)
        fprintf(stderr, "%s\n", err.message);
    align_tensors_free(batch);
    align_image_done(&picture);
    align_context_free(context);
    align_model_free(model);
    align_processor_free(processor);
    return status;
}
