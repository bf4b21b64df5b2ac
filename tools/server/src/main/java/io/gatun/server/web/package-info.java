/// The page at `/`.
package io.gatun.server.web;
