/// What this computer is, and how fast: [Machine] asks the operating system, [Roofs] measures, and
/// [Health] says in plain words what makes Gatun slow here.
package io.gatun.tools.machine;
