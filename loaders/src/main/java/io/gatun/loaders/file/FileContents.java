package io.gatun.loaders.file;

import io.gatun.loaders.Format;
import io.gatun.tensor.Tensor;
import java.util.Map;

/// What a reader found in one file.
///
/// @param version the format's version in words: `GGUF v3`
public record FileContents(
    Format format, String version, Map<String, Tensor> tensors, Map<String, Object> metadata) {}
