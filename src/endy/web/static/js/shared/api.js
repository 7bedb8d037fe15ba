// One way to the server: JSON in, JSON or an ApiError out.

export class ApiError extends Error {
  constructor({ code, status = 0, message = "", requestId = "", retryAfter = 0 }) {
    super(message || code);
    Object.assign(this, { code, status, said: message, requestId, retryAfter });
  }
}

export async function send(method, path, { body, signal, accept = "application/json" } = {}) {
  const headers = { Accept: accept };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const request = { method, headers, signal, credentials: "same-origin" };
  if (body !== undefined) request.body = JSON.stringify(body);
  const response = await reach(path, request);
  if (!response.ok) throw await failure(response);
  return response;
}

export async function call(method, path, options) {
  const response = await send(method, path, options);
  try {
    return response.status === 204 ? null : await response.json();
  } catch (error) {
    throw error.name === "AbortError" ? error : new ApiError({ code: "network" });
  }
}

async function reach(path, request) {
  try {
    return await fetch(path, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError({ code: navigator.onLine ? "network" : "offline" });
  }
}

async function failure(response) {
  const body = await response.json().catch(() => ({}));
  return new ApiError({
    code: body.error ?? "internal_error",
    status: response.status,
    message: body.message,
    requestId: response.headers.get("X-Request-ID") ?? "",
    retryAfter: waitOf(response, body),
  });
}

// Retry-After is seconds or a date.
function waitOf(response, body) {
  const header = response.headers.get("Retry-After");
  const seconds = Number(header ?? body.details?.retry_after ?? 0);
  if (Number.isFinite(seconds)) return Math.max(0, Math.ceil(seconds));
  return Math.max(0, Math.ceil((Date.parse(header) - Date.now()) / 1000)) || 0;
}
