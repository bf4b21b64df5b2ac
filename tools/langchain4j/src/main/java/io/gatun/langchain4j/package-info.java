/// LangChain4j's models, computed in the application's own process: chat, language, embedding,
/// scoring and image models of [Gatun](io.gatun.models). Builders take a path or a name; models of
/// the same path are loaded once.
package io.gatun.langchain4j;
