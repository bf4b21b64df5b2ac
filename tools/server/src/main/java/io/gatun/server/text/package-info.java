/// What the APIs of language models have in common: messages and prompts as tokens, how tokens are
/// chosen, answers as they come, vectors.
package io.gatun.server.text;
