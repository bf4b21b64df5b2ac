/// The command line. [Main] lists the commands; each is a class with picocli's annotations, and lies
/// in the package of what it is for. Arrows go down this list only:
///
/// - here, what is about Gatun itself: serve, of which only [Serving] knows the server; doctor, help,
///   completion, and for the list of commands jshell and spark
/// - [io.gatun.tools.bench]: bench
/// - [io.gatun.tools.evaluate]: evaluate, perplexity
/// - [io.gatun.tools.search]: index, ask, search-images
/// - [io.gatun.tools.text]: generate, chat, embed, rank, tokenize
/// - [io.gatun.tools.segment]: segment, track
/// - [io.gatun.tools.imagine]: imagine, upscale
/// - [io.gatun.tools.models]: pull, list, rm, cache, inspect, quantize, pack
/// - [io.gatun.tools.options]: what several commands share
/// - [io.gatun.tools.remote]: for commands that a server can do the work of
/// - [io.gatun.tools.machine]: what this computer is
/// - [io.gatun.tools.console]: streams, signals, what users are told
///
/// [StartUpTraining] and [ClassFileUpgrade] are what the launcher runs once, so that each start is
/// faster.
package io.gatun.tools;
