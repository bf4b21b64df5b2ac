/// OpenAI's API: chat, completions, embeddings, images, models; and beside it reranking, and texts
/// as tokens.
package io.gatun.server.openai;
