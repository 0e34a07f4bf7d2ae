import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { client } from "./api/client";
import { App } from "./app/App";
import { Gate } from "./session/Gate";
import "./theme/tokens.css";
import "./theme/base.css";
import "./theme/theme";
import "./ui/ui.css";

const page = document.getElementById("page");
if (page) {
  createRoot(page).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <Gate><App /></Gate>
      </QueryClientProvider>
    </StrictMode>,
  );
}
