/// Commands whose work a running server does: [RemoteOptions] says which one, [RemoteServer] speaks
/// with it. What is asked and answered lies beside each command, as `Remote...`.
package io.gatun.tools.remote;
