"use strict";

// Everything is relative to this page: in front of it may be a stage's name.
SwaggerUIBundle({
  url: new URL("../openapi.json", document.baseURI).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  // A key is forgotten with the page.
  persistAuthorization: false,
  // No badge: it would tell somebody else the description.
  validatorUrl: null,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
});
