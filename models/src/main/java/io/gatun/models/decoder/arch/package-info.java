/// The architectures, one file each, and the list of them.
package io.gatun.models.decoder.arch;
