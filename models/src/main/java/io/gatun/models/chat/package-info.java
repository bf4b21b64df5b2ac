/// Conversations through an [io.gatun.models.engine.Engine]: messages and functions as the prompt
/// of a model, and what is said, thought and called in its answer.
package io.gatun.models.chat;
