package io.gatun.server.http;

import java.nio.ByteBuffer;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.handler.ErrorHandler;
import org.eclipse.jetty.util.Callback;

/// What is no request at all, told without a page of HTML.
public final class JsonErrors extends ErrorHandler {
  @Override
  public boolean handle(Request request, Response response, Callback callback) {
    var said = request.getAttribute(ERROR_MESSAGE);
    var error =
        ApiException.of(
            response.getStatus(), "invalid_request", said == null ? "refused" : said.toString());
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, Call.JSON_TYPE);
    var body = Call.bytes(Errors.body(Request.getPathInContext(request), error));
    response.write(true, ByteBuffer.wrap(body), callback);
    return true;
  }
}
