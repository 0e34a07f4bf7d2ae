import js from "@eslint/js";
import hooks from "eslint-plugin-react-hooks";
import ts from "typescript-eslint";

// What runs carry, say and are called is written by others. It reaches the page as text nodes, and in no other way.
const html = "what others wrote is shown as text nodes only";
const names = ["innerHTML", "outerHTML", "insertAdjacentHTML", "srcdoc", "createContextualFragment"];

export default ts.config(
  { ignores: ["dist", "src/api/schema.d.ts"] },
  js.configs.recommended,
  ts.configs.strict,
  ts.configs.stylistic,
  hooks.configs.flat.recommended,
  {
    files: ["src/**"],
    rules: {
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-restricted-properties": ["error", ...names.map((property) => ({ property, message: html }))],
      "no-restricted-syntax": [
        "error",
        { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: html },
        { selector: "Property[key.name='dangerouslySetInnerHTML']", message: html },
        { selector: "JSXAttribute[name.name='srcDoc']", message: html },
        { selector: "JSXOpeningElement[name.name=/^(script|style|iframe|object|embed)$/]", message: "the page's policy forbids it" },
      ],
      "@typescript-eslint/consistent-type-definitions": ["error", "interface"],
      "@typescript-eslint/no-non-null-assertion": "error",
      "react-hooks/set-state-in-effect": "off",
      "react-hooks/refs": "off",
      "react-hooks/incompatible-library": "off",
    },
  },
  { files: ["scripts/**"], languageOptions: { globals: { fetch: "readonly", console: "readonly", process: "readonly", URL: "readonly", document: "readonly", performance: "readonly", requestAnimationFrame: "readonly", cancelAnimationFrame: "readonly" } } },
);
