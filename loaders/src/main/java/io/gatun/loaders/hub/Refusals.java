package io.gatun.loaders.hub;

import io.gatun.loaders.CheckpointException;
import java.net.http.HttpResponse;

/// What to tell the user when the hub refuses.
final class Refusals {
  private static final int LONGEST = 300;

  private Refusals() {}

  static CheckpointException of(HubName name, HttpResponse<?> response, HubClient client) {
    int status = response.statusCode();
    String code = response.headers().firstValue("X-Error-Code").orElse("");
    String said = response.headers().firstValue("X-Error-Message").orElse("");
    String repository = name.repository();
    String page = client.home() + "/" + repository;
    String token =
        client.hasToken()
            ? "the token that was sent (from HF_TOKEN, or the file of hf auth login) has no access"
            : "no token was sent: make one at %s/settings/tokens and set HF_TOKEN to it, or log in with hf auth login"
                .formatted(client.home());
    return new CheckpointException(
        switch (code) {
          case "GatedRepo" ->
              "%s: is gated: its publisher lets those have it who accept the terms at %s; %s"
                  .formatted(repository, page, token);
          case "RepoNotFound" -> missing(repository, page, token);
          case "RevisionNotFound" ->
              "%s: has no revision \"%s\"; its branches and tags are at %s/tree/main"
                  .formatted(repository, name.revision(), page);
          case "EntryNotFound" ->
              "%s: a file that its list names is not there: the repository has just changed; try again"
                  .formatted(repository);
          default ->
              switch (status) {
                case 401 ->
                    said.contains("Invalid credentials")
                        ? "%s: the hub does not know the token that was sent (from HF_TOKEN, or the file of hf auth login): it may have expired; make another at %s/settings/tokens"
                            .formatted(repository, client.home())
                        : missing(repository, page, token);
                case 403 ->
                    "%s: access is refused%s; %s".formatted(repository, quoted(said), token);
                case 404 -> missing(repository, page, token);
                case 407 ->
                    "%s: the proxy on the way wants a name and a password; write them into the variable that names it: HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT"
                        .formatted(repository);
                case 429 ->
                    "%s: %s has had too many requests from here%s; try again later%s"
                        .formatted(
                            repository,
                            client.home(),
                            wait(response),
                            client.hasToken()
                                ? ""
                                : ", or with a token (HF_TOKEN), which may ask more");
                default ->
                    "%s: %s answers %d%s".formatted(repository, client.home(), status, quoted(said))
                        + (status >= 500 ? "; try again later" : "");
              };
        });
  }

  private static String missing(String repository, String page, String token) {
    return "%s: there is no such model at %s, or it is private; %s"
        .formatted(repository, page, token);
  }

  private static String wait(HttpResponse<?> response) {
    var wait = Tries.retryAfter(response);
    return wait == null ? "" : ", and asks to wait %d s".formatted(wait.toSeconds());
  }

  private static String quoted(String said) {
    return said.isEmpty()
        ? ""
        : ": \"%s\"".formatted(said.substring(0, Math.min(said.length(), LONGEST)));
  }
}
