/// The Llama family. Shapes: T tokens, D hidden size, H heads, G key/value heads, C head size.
package io.gatun.models.llama;
