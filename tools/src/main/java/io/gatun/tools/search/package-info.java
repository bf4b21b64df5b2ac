/// `gatun index`, `gatun ask` and `gatun search-images`: documents and pictures that can be found.
///
/// The search is a module of its own, which [SearchModule] says is missing where the launcher has
/// not added it. So each command is two classes, of which picocli sees the one without it:
/// [IndexCommand] and [Ask] with [Searching], [SearchImages] with [SearchingImages].
/// [SearchingCache] has the answers that are given again, [IndexProgress] what a person sees
/// meanwhile.
///
/// For measurements: [SearchingParts], vectors that need no model, and [TemporaryFolder].
package io.gatun.tools.search;
