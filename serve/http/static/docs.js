"use strict";
// Swagger UI as FastAPI sets it up, but from files of this server.

/** Ask for the document, with a key where the server wants one; the key stays in this page. */
async function readDocument() {
  let response = await fetch("openapi.json");
  let key = "";
  while (response.status === 401) {
    key = window.prompt("This server asks for an API key.") ?? "";
    if (!key) throw new Error("the document needs an API key");
    response = await fetch("openapi.json", { headers: { Authorization: `Bearer ${key}` } });
  }
  return { spec: await response.json(), key };
}

readDocument().then(({ spec, key }) => {
  const page = SwaggerUIBundle({
    spec,
    dom_id: "#swagger-ui",
    deepLinking: true,
    layout: "BaseLayout",
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
    showExtensions: true,
    showCommonExtensions: true,
    defaultModelsExpandDepth: 0,
    onComplete: () => key && page.preauthorizeApiKey("Bearer", key),
  });
}, (error) => {
  document.getElementById("swagger-ui").textContent = error.message;
});
