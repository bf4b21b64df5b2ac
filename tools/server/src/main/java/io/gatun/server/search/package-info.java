/// Documents of an index of `gatun index`: `/v1/search`, `/v1/documents`, and what chat answers
/// from. Loaded only where an index is served, as is the module io.gatun.search.
package io.gatun.server.search;
