/// Calls of functions in what models write, each family in its own form.
///
/// [ToolCallReader] tells calls from text as the tokens come; [CallForms] reads one form each out
/// of what stands between a call's marks, with [JsonPrefix] and [LooseValues] for values that are
/// not whole yet. [CallConstraint] keeps arguments to the functions' schemas.
package io.gatun.models.toolcall;
