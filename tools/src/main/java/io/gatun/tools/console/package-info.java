/// What every command has of the process and the terminal that it runs in.
///
/// [Stdio] is where a command reads and writes, [Interrupts] how it ends early; an [Invocation] has
/// both. What goes to a terminal passes through a [SafeWriter], what cannot be written ends in an
/// [OutputException] of [ResultWriter]'s, and [Failures] tells the user what went wrong.
///
/// Results: [Table], [Json], numbers by [Units]; [ProgressBar] while they are waited for. Files:
/// [Texts] and [OutputFiles].
package io.gatun.tools.console;
