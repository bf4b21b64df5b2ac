/// Models by name: from the Hugging Face hub, into the cache that other programs share.
///
/// [io.gatun.loaders.hub.Hub] is the way in. `HubName` is what a user writes, `FileChoice` (with
/// `GgufFiles`) says which files that means, `HubClient` asks the hub, `Download` (with
/// `FileWriter` and `FollowingDigest`) fetches one file, `HubCache` knows the folder's layout,
/// `CacheContents` lists and removes. `OllamaStore` reads what Ollama has fetched.
package io.gatun.loaders.hub;
