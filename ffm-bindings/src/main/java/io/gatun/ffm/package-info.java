/// Native libraries: found, unpacked, loaded, and called through typed methods.
package io.gatun.ffm;
