package io.gatun.loaders.hub;

import java.nio.file.Path;
import java.time.Instant;

/// A model that is on the disk, by the name that it can be opened with.
///
/// @param name `ORG/MODEL`, `ORG/MODEL:Q4_K_M`, `ollama:NAME:TAG`
/// @param bytes of its files
/// @param changed when the last of them came
/// @param path the file or the folder to open
/// @param isWhole whether nothing is missing, as far as the files tell
public record CachedModel(String name, long bytes, Instant changed, Path path, boolean isWhole) {}
