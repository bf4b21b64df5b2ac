/// Files that more than one module writes, trusts or removes: the user's own folders, the cache,
/// and files that appear whole or not at all.
package io.gatun.ffm.files;
