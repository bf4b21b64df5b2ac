/// JSON by a schema: [JsonSchema] makes expressions of one. [Schemas] finds what is referred to,
/// [Conjunct] joins what several schemas ask of one value, and [JsonText] is how values are
/// spelled, [Numbers] within bounds and strings in [Formats].
package io.gatun.models.constraint.json;
