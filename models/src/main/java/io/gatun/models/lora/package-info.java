/// Adaptations of language models, in the files of the PEFT library.
package io.gatun.models.lora;
