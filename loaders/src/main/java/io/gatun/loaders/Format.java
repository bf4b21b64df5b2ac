package io.gatun.loaders;

/// The file formats that a checkpoint comes in.
public enum Format {
  SAFETENSORS,
  GGUF,
  PTH
}
