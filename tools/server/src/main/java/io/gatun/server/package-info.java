/// Models behind HTTP: [io.gatun.server.Server] listens, as [io.gatun.server.ServerOptions] say.
///
/// Inside, each package uses only those before it: `http` (what every request goes through),
/// `models` (what is loaded), `text` (what the APIs of language models share), then one package for
/// each API (`openai`, `ollama`, `search`, `segmentation`, `labelstudio`) and one for the page
/// (`web`).
package io.gatun.server;
