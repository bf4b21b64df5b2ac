/// Unchecked access to the process's memory, for the kernels alone: the module exports it to no one
/// else.
package io.gatun.ffm.raw;
