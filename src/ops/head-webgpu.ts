/** WebGPU lowering of the head: chunks of rows, so that logits of all rows are never held at once. */
