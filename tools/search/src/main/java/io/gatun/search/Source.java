package io.gatun.search;

/// A document of an index.
///
/// @param name the path of its file, or what it is known by
/// @param chunks that it has
public record Source(String name, int chunks) {}
