package io.gatun.models.diffusion.lora;

import java.nio.file.Path;
import java.util.List;

/// What became of a file of low-rank adaptations.
///
/// @param applied the modules whose weights it changed, by the file's names for them
/// @param leftOut what of it has no place in the model
public record AppliedLora(Path file, List<String> applied, List<String> leftOut) {}
