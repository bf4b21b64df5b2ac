/// Spring AI's chat, embedding and image models, computed in the application's own process:
/// [GatunChatModel], [GatunEmbeddingModel], [GatunImageModel]. With Spring Boot, `boot` makes them
/// from the application's properties.
package io.gatun.spring;
