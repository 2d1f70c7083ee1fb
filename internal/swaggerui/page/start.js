"use strict";

// The description is found from this page: in front of both may be a stage's name.
SwaggerUIBundle({
  url: "../openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  // A key is forgotten with the page.
  persistAuthorization: false,
  // No badge: it would send the description to another site.
  validatorUrl: null,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
});
