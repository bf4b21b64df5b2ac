/// Models behind HTTP: [io.gatun.server.Server] listens, `Guard` decides who may ask, `Routes`
/// finds what answers, `Models` keeps what is loaded. Each API is a class of its own.
package io.gatun.server;
