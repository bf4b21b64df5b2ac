/// The models as their users see them: load one, and ask it.
package io.gatun.models;
