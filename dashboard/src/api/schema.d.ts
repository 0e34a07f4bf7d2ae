// Generated from docs/openapi.json by `npm run types`. Not to be edited.

export interface paths {
    "/api/v1/attention": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What waits for a person: nodes that failed for good, undo actions that did, calls that took their workers down, runs whose
         *     code no worker has, nodes that wait for a signal for long, and the newest runs that failed. A call that runs alone, because it
         *     was under way when its process died, is told of, too. It is looked for some 2 s, at no more runs of each kind than `limit`, and
         *     at the 200 newest runs that go on: when there are more, the page is `partial`.
         */
        get: operations["list_attention"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What was done by whom, the newest first: every request that was to change something, with how it was answered. The newest
         *     1,000 are known.
         */
        get: operations["list_audit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/counts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How many runs there are of each status, as it was at most 2 s ago. Only for those who see all flows. */
        get: operations["count_runs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/docs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What can be asked, to read. */
        get: operations["docs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/docs/style.css": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How that page looks. */
        get: operations["docs_style"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/figures": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How many runs began, and how many ended how, over time. At most the 5,000 newest runs are looked at. */
        get: operations["figures"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/flows": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The flows that the store knows. */
        get: operations["list_flows"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/flows/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A flow: its plans, what it takes, the signals that it waits for. */
        get: operations["get_flow"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/flows/{name}/grid": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The newest runs of a flow with where each of their nodes stands, so that one sees at a glance where it breaks. */
        get: operations["flow_grid"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/flows/{name}/plan": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The plan of a flow: as it is stored (`json`), described node by node as goflow did (`definition`), or drawn (`dot`,
         *     `mermaid`).
         */
        get: operations["flow_plan"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/flows/{name}/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How the newest runs of a flow went: at most 200 are looked at, and of 25 their nodes. */
        get: operations["flow_stats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who asks, and what they may do. */
        get: operations["me"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What can be asked, as OpenAPI. */
        get: operations["openapi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/queues": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The calls that wait, become visible later or are in hand, by plan and lane. */
        get: operations["list_queues"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Runs, the newest first, a page at a time. For one page some 10,000 runs are looked at, and for some 2 s: when more would have
         *     had to be, the page is `partial`, may be empty, and `next` goes on from there.
         */
        get: operations["list_runs"];
        put?: never;
        /** Starts a run, and answers at once. The same id with the same flow and input again is the same run. */
        post: operations["start_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/bulk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Asks something of many runs: those named by `ids`, or those that fit `filter`. Without `"dry_run": false` it only counts
         *     them. One request is about at most 1,000 runs, and for a filter some 10,000 are looked at, for some 2 s; `more` says whether
         *     there are others, and `next` from where on to look for them: with it as `before`. How far a request looks is a matter of time,
         *     so whoever counts first says, with `until`, how far was counted: `next` of the dry run.
         */
        post: operations["bulk"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A run in short. */
        get: operations["get_run"];
        put?: never;
        post?: never;
        /** Deletes a run that is over, with all there is of it. Its id is free again. */
        delete: operations["delete_run"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/attention": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What of a run waits for an operator. */
        get: operations["run_attention"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/context": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What a run, or a scope of it, keeps in its context, by key. Of large values only the first 64 KiB are shown. */
        get: operations["run_context"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What is recorded of a run, from the first event on, a page at a time. What the events carried is not in it. */
        get: operations["run_events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/fork": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Starts a new run that keeps what this one's nodes gave, but for one node and all that follows from it. */
        post: operations["fork_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/input": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A run's input, as it is. */
        get: operations["run_input"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/kill": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Asks that a run end without waiting for what is under way: nothing of that counts any more. */
        post: operations["kill_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What the calls of a run said (`ctx.log`, and what they log on `tracing` where the worker keeps it), in the order in which the
         *     calls ended. It is recorded with what comes of a call, so a call under way has said nothing yet.
         */
        get: operations["run_logs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/nodes/input": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What flowed into a node, as it is: several values as a list or an object, as its code takes them. */
        get: operations["node_input"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/nodes/output": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What a node gave, as it is, once it succeeded. */
        get: operations["node_output"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/output": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A run's output, as it is, once it succeeded. */
        get: operations["run_output"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Asks that nothing new start in a run: what is under way is waited for and recorded. Asking again changes nothing. */
        post: operations["pause_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/rerun": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Starts a new run from the start, with the same input. Asking again gives the same new run. */
        post: operations["rerun_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/resolve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Says how it goes on with a node that waits for an operator: try again, skip it, or it was done by hand. */
        post: operations["resolve_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Asks that a paused run go on with exactly what was held back. */
        post: operations["resume_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Starts a new run that goes on where this one failed or was stopped. Asking again gives the same new run. */
        post: operations["retry_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/scopes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The scopes that a node opened or will open, in the order in which they were known: the items of a foreach, the arms that a
         *     branch took.
         */
        get: operations["run_scopes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/signals/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sends a signal with the bytes of the body. The node that has waited for one of its name longest takes it, or the first
         *     that will. The same `X-Request-Id` again is the same signal.
         */
        post: operations["signal_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Asks that a run stop: what is under way is told and waited for, what was done is undone where there are undo actions,
         *     then the hooks run. The first reason counts.
         */
        post: operations["stop_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What is recorded of a run, as it is recorded: events `event` with their place as id, then one `end` with the run.
         *     `Last-Event-ID` goes on behind the event of that id.
         */
        get: operations["stream_run"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/view": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A run to look at: its nodes with states, times, calls and errors. */
        get: operations["view_run"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Begins a session: the token of this request (`Authorization: Bearer TOKEN`) is good for a cookie, which the answer sets.
         * @description A browser's page gets one over https only, or on the machine itself (`needs-tls`); who is no browser sends no `Origin`, and is
         *     answered 201 over plain HTTP, too: whatever it does with the cookie is its own affair.
         *
         *     The session lasts for 12 hours, ends when it was not used for one, and ends with its token. What changes something by it is
         *     sent by a page of the service itself (`Sec-Fetch-Site`, else `Origin`), as `Content-Type: application/json` unless it is a
         *     `DELETE`. A service that asks nobody for a token sets no cookie. Where somebody else is signed in, it is refused (`signed-in`)
         *     unless `?instead=true` says that this is meant: a link that signs in must not make a browser somebody else's unasked.
         */
        post: operations["begin_session"];
        /** Ends the sessions of this request's cookies, if they go on, and takes the cookies away. */
        delete: operations["end_session"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What becomes of all runs: an event `run` whenever one began or changed, at most a few a second for each. A run that
         *     changes more often than the store is looked at is told of once, as it stands then. `Last-Event-ID` goes on behind that
         *     event; if that is too long ago, an event `reset` says that the list should be read again.
         */
        get: operations["stream_runs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The tokens that there are, without their secrets. */
        get: operations["list_tokens"];
        put?: never;
        /** Makes a token. Its secret is in this answer and nowhere else. Nobody gives away rights or flows that they do not have. */
        post: operations["make_token"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Ends a token. */
        delete: operations["revoke_token"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The workers of the store. */
        get: operations["list_workers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/flow/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Runs a flow on the bytes of the body, whatever they are, and answers with those of its output.
         * @description It waits for the run's end, 120 s unless `Prefer: wait=N` says otherwise (in seconds), and answers 200 with the output
         *     as it is; else 202 with the run's id and where to ask. `X-Async: true` or `Prefer: respond-async` answers 202 at once.
         *     `X-Request-Id` chooses the run's id: the same id with the same flow and body is the same run. Query and headers are kept
         *     with the run, but for secrets. `X-Callback-Url` (or `X-Faas-Flow-Callback-Url`) has the result or the failure posted there
         *     when the run has ended, signed as Standard Webhooks have it: it is a run of `vastflow.callback`. Takes the right `payload:read`, too, unless it does not wait.
         */
        post: operations["call_flow"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/flow/{name}/request/{word}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** goflow's `list`, and `state` with the id glued to it: runs in short. */
        get: operations["goflow_look"];
        put?: never;
        /** goflow's `stop`, `pause` and `resume`, the id glued to the word. */
        post: operations["goflow_control"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/flow/{name}/request/{word}/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** goflow's `state`: a run in short. */
        get: operations["goflow_look_at"];
        put?: never;
        /** goflow's `stop`, `pause` and `resume`. */
        post: operations["goflow_control_of"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the service is there. */
        get: operations["health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What the service and its engine count, as Prometheus reads it.
         * @description Series that tell of the store are the same on every engine of it: take their `max`. Labels are bounded: flows and lanes
         *     beyond the first hundred are `other`.
         */
        get: operations["metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the service can do something: its store answers, and it is not about to end. */
        get: operations["ready"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description A run that goes on, and where to ask for it. */
        Accepted: {
            /** @description The run's id. */
            id: string;
            /** @description Where to ask. */
            links: components["schemas"]["Links"];
            /** @description Where it stands. */
            status: components["schemas"]["Status"];
        };
        /**
         * @description What can be asked of many runs.
         * @enum {string}
         */
        Action: "pause" | "resume" | "stop" | "kill" | "retry" | "rerun" | "delete";
        /** @description Who asked for something, and why. */
        Asked: {
            /** @description Who. */
            by: string;
            /** @description Why. */
            why: string;
        };
        /** @description Something that waits for a person. */
        AttentionItem: {
            /** @description The node, as `resolve` takes it. */
            at?: string | null;
            /** @description The flow. */
            flow: string;
            /** @description Why it is listed. */
            kind: components["schemas"]["Waits"];
            /** @description The run; none when it is about all runs of a plan. */
            run?: string | null;
            /**
             * Format: int64
             * @description How many runs it is about.
             */
            runs: number;
            /** @description The signal that is waited for. */
            signal?: string | null;
            /**
             * Format: int64
             * @description Since when it waits, or failed.
             */
            since_ms?: number | null;
            /** @description What is the matter. */
            why: string;
        };
        /** @description Something that somebody did by the service. */
        AuditRow: {
            /**
             * Format: int64
             * @description When.
             */
            at_ms: number;
            bulk?: null | components["schemas"]["BulkRow"];
            /** @description From which address. */
            from?: string | null;
            /** @description What was asked for: an `operationId` of the OpenAPI document. */
            operation: string;
            /** @description The path. */
            path: string;
            /** @description The id of the request, or of the run that it was about. */
            request_id?: string | null;
            /** @description The run that it was about, if it was about one. */
            run?: string | null;
            /**
             * Format: int32
             * @description The status of the answer.
             */
            status: number;
            /** @description Who; none when nobody was known. */
            who?: string | null;
            /** @description The reason that was given. */
            why?: string | null;
        };
        /** @description Which runs something is asked of, and what. Runs are named by `ids` or found by `filter`, never both. */
        Bulk: {
            /** @description What is asked. */
            action: components["schemas"]["Action"];
            /** @description With a filter: go on there, as the answer before gave it as `next`. */
            before?: string | null;
            /** @description Only count them: nothing is done. True unless said, so that nothing happens by accident. */
            dry_run?: boolean;
            /**
             * Format: int64
             * @description What a dry run counted. If there are more now, nothing is done. With a filter say `until`, too, if it gave a `next`.
             */
            expected?: number | null;
            filter?: null | components["schemas"]["Filter"];
            /** @description These runs; at most 1,000. */
            ids?: string[];
            /**
             * @description With a filter: look no further than there, as a dry run gave it as `next`, so that it is about the runs that were counted
             *     and `expected` is about no others.
             */
            until?: string | null;
            /** @description Why. */
            why?: string;
        };
        /** @description What was done, or would be. */
        BulkDone: {
            /**
             * Format: int64
             * @description Of how many it was done.
             */
            done: number;
            /** @description Whether nothing was done. */
            dry_run: boolean;
            /** @description Where it could not be done, and why; at most 100. */
            failed?: components["schemas"]["Refused"][];
            /**
             * Format: int64
             * @description How many runs it is about.
             */
            matched: number;
            /** @description Whether there are, or may be, more than one call takes: ask again, with `next` as `before`. */
            more: boolean;
            /** @description Where to go on, as `before`: it is about no run behind that, and further runs fit the filter, or may. */
            next?: string | null;
            /** @description Some of them: at most 20. */
            sample: string[];
        };
        /** @description Something that was asked of many runs at once. */
        BulkRow: {
            /** @description What was asked. */
            action: components["schemas"]["Action"];
            /**
             * Format: int64
             * @description Of how many it was done.
             */
            done: number;
            /** @description Whether they were only counted. */
            dry_run: boolean;
            /**
             * Format: int64
             * @description Of how many it could not be done.
             */
            failed: number;
            filter?: null | components["schemas"]["Filter"];
            /** @description The runs that were named: the first 20. */
            ids?: string[];
            /**
             * Format: int64
             * @description How many runs it was about.
             */
            matched: number;
            /** @description Of which it was done: the first 20. */
            sample?: string[];
        };
        /** @description One call of a node's code. */
        CallView: {
            /**
             * Format: int64
             * @description When it was recorded.
             */
            ended_at_ms: number;
            /** @description Whether it failed. */
            failed: boolean;
            /** @description What was called: `attempt`, `poll`, `rescue`, `fold`, `undo` or `hook`. */
            kind: string;
            /**
             * Format: int32
             * @description Which attempt, tick or try it was, from 1.
             */
            number: number;
            /**
             * Format: int64
             * @description How long it took, in microseconds.
             */
            took_us: number;
            /** @description What it said, if it failed or found the work unfinished. */
            why?: string | null;
        };
        /**
         * @description A choice of an operator.
         * @enum {string}
         */
        Choice: "retry" | "skip" | "done";
        /** @description A value of a run's context. */
        ContextRow: {
            /** @description It in base 64, if it is no text. */
            base64?: string | null;
            /**
             * Format: int64
             * @description How many bytes it has.
             */
            bytes: number;
            /** @description Whether only its beginning is here. */
            cut?: boolean;
            /** @description Its key. */
            key: string;
            /** @description It, if it is text: JSON in most cases. */
            text?: string | null;
        };
        /** @description How many runs there are of each status. */
        Counts: {
            /** @description By status; each is there. */
            runs: {
                [key: string]: number;
            };
            /**
             * Format: int64
             * @description Runs that have not ended.
             */
            unfinished: number;
        };
        /** @description One thing that was recorded of a run. What it carried is not in it, only how much. */
        EventRow: {
            /**
             * Format: int64
             * @description When it was recorded.
             */
            at_ms: number;
            /** @description What kind of event it is: `RunStarted`, `NodeSucceeded`, `RunEnded`… */
            kind: string;
            /** @description The node that it is about. */
            node?: string | null;
            /**
             * Format: int64
             * @description Its place in the journal of its scope, from 0. In streams it is the event's id, for `Last-Event-ID`.
             */
            seq: number;
            /** @description The same as a line to read. */
            text: string;
            /**
             * Format: int64
             * @description Of a call: how long it took, in microseconds.
             */
            took_us?: number | null;
        };
        /** @description Why a run failed. */
        Failure: {
            /** @description What kind of failure it is: `error`, `panic`, `timeout`… */
            kind: string;
            /** @description The node that failed; none when the run itself did. */
            node?: string | null;
            /** @description What it said. */
            text: string;
        };
        /** @description Runs over time: one number for each step. */
        Figures: {
            /** @description How many failed. */
            failed: number[];
            /** @description Whether there were more runs in that time than are looked at: what is missing is the oldest. */
            is_partial: boolean;
            /**
             * Format: int64
             * @description How many runs were looked at.
             */
            looked_at: number;
            /** @description Half of those that ended took at most this. */
            p50_ms: (number | null)[];
            /** @description 95 of 100 that ended took at most this. */
            p95_ms: (number | null)[];
            /**
             * Format: int64
             * @description When the first step begins.
             */
            since_ms: number;
            /** @description How many runs began. */
            started: number[];
            /**
             * Format: int64
             * @description How long a step is.
             */
            step_ms: number;
            /** @description How many were stopped. */
            stopped: number[];
            /** @description How many succeeded. */
            succeeded: number[];
        };
        /** @description Runs that have all of this. */
        Filter: {
            /** @description Of this flow. */
            flow?: string | null;
            /** @description With all of these labels. */
            labels?: {
                [key: string]: string;
            };
            /** @description With this text in their id, in the value of a label, or in what they failed with. */
            q?: string | null;
            /**
             * Format: int64
             * @description That began then or later.
             */
            since_ms?: number | null;
            status?: null | components["schemas"]["Status"];
            /**
             * Format: int64
             * @description That began before then.
             */
            until_ms?: number | null;
        };
        /** @description A flow in a list. */
        FlowRow: {
            /** @description Whether this program has its code. */
            has_code: boolean;
            /** @description Its name. */
            name: string;
            /**
             * Format: int64
             * @description How many nodes its plan has.
             */
            nodes?: number | null;
            /** @description The plan that new runs follow, by its hash; none when several are stored and nobody says which. */
            plan?: string | null;
            /** @description All plans of it that are stored. */
            plans: string[];
            /**
             * Format: int64
             * @description How many workers that are alive have the code of its plan.
             */
            workers: number;
        };
        /** @description How the newest runs of a flow went. */
        FlowStats: {
            /**
             * Format: int64
             * @description How many failed.
             */
            failed: number;
            /** @description How its nodes went in the 25 newest runs. */
            nodes?: components["schemas"]["NodeStats"][];
            /**
             * Format: int64
             * @description Half of those that ended took at most this.
             */
            p50_ms?: number | null;
            /**
             * Format: int64
             * @description 95 of 100 that ended took at most this.
             */
            p95_ms?: number | null;
            /**
             * Format: int64
             * @description How many of its newest runs were looked at.
             */
            runs: number;
            /**
             * Format: int64
             * @description How many were stopped.
             */
            stopped: number;
            /**
             * Format: int64
             * @description How many succeeded.
             */
            succeeded: number;
            /**
             * Format: int64
             * @description How many of those go on.
             */
            unfinished: number;
        };
        /** @description A flow as a whole. */
        FlowView: {
            /** @description The flow in short. */
            flow: components["schemas"]["FlowRow"];
            /** @description What it takes, as JSON Schema, as far as its types tell. */
            input_schema: Record<string, never>;
            /** @description The signals that its nodes wait for. */
            signals: string[];
        };
        /** @description Where a run is forked, and with what. At most one of `input` and `output` is given. */
        ForkRun: {
            /** @description The id of the new run; generated from the old one's unless given. */
            id?: string | null;
            /** @description The node gets this instead of what flows into it. */
            input?: Record<string, never> | null;
            /** @description The node: it and all that follows from it are done again; what other nodes gave is kept. */
            node: string;
            /** @description The node is not called: this is what it gave. */
            output?: Record<string, never> | null;
            /** @description Why. */
            why?: string;
        };
        /** @description The newest runs of a flow, node by node. */
        Grid: {
            /** @description Whether there are more nodes than are shown. */
            cut?: boolean;
            /** @description The nodes, in the order of the newest run's plan. */
            nodes: string[];
            /** @description The runs, the newest first. */
            runs: components["schemas"]["GridRow"][];
        };
        /** @description A run of a [`Grid`]. */
        GridRow: {
            /** @description The run. */
            run: components["schemas"]["RunRow"];
            /** @description Where its nodes stand, in the order of the grid's; null where its plan has no such node. */
            states: (string | null)[];
        };
        /** @description Whether the service is there. */
        Health: {
            /** @description Anyone who reaches the service may do everything: it was told so in so many words. */
            insecure_no_auth?: boolean;
            /** @description `ok`, or what is the matter. */
            status: string;
            /** @description The version of the program. */
            version: string;
        };
        /** @description The scopes that a node opened, counted. */
        Inner: {
            /**
             * Format: int64
             * @description How many have ended.
             */
            ended: number;
            /**
             * Format: int64
             * @description How many of those failed.
             */
            failed: number;
            /** @description Of a branch: the arms that were taken. */
            keys?: string[];
            /** @description Those in which something waits for an operator. */
            parked?: string[];
            /**
             * Format: int64
             * @description How many are known.
             */
            scopes: number;
        };
        /**
         * @description How the service knows who asks.
         * @enum {string}
         */
        KnownBy: "nothing" | "token" | "session" | "signature";
        /** @description A plan that a worker lacks code for. */
        Lack: {
            /** @description What it lacks first. */
            first: string;
            /** @description The plan. */
            plan: string;
        };
        /** @description Where to ask for a run: paths of the same service. */
        Links: {
            /** @description Its output, once it succeeded. */
            output: string;
            /** @description The run in short. */
            run: string;
            /** @description What is recorded of it, as it is recorded. */
            stream: string;
            /** @description Its nodes. */
            view: string;
        };
        /** @description A line that a call said. */
        LogRow: {
            /**
             * Format: int64
             * @description How long after its call had begun, in microseconds.
             */
            after_us: number;
            /**
             * Format: int64
             * @description When the call's end was recorded.
             */
            at_ms: number;
            /**
             * Format: int32
             * @description Which attempt, from 1; of a poll, which tick.
             */
            attempt: number;
            /** @description `error`, `warn`, `info`, `debug` or `trace`. */
            level: string;
            /** @description The node; none: a hook of the flow. */
            node?: string | null;
            /** @description What was said. */
            text: string;
        };
        /** @description A new token. Its secret is shown this once. */
        MadeToken: {
            /** @description The token without its secret. */
            row: components["schemas"]["TokenRow"];
            /** @description What goes behind `Authorization: Bearer`. */
            token: string;
        };
        /** @description Who asks, and what they may do. */
        Me: {
            /** @description How they are known. */
            by?: components["schemas"]["KnownBy"];
            /** @description The flows that they may do it with: names, or patterns with `*`. */
            flows: string[];
            /** @description The name that is recorded with what they ask for. */
            name: string;
            /** @description Whether the service only shows, so that nobody changes anything by it. */
            read_only?: boolean;
            /** @description What they may do. */
            scopes: components["schemas"]["Scope"][];
        };
        /** @description A token to make. */
        NewToken: {
            /**
             * Format: int32
             * @description For how many days; 90 unless said.
             */
            days?: number | null;
            /** @description With which flows: names, or patterns with `*`; all unless said. */
            flows?: string[];
            /** @description Who it is for: recorded with what is asked for by it. */
            name: string;
            /** @description What it is good for. */
            scopes: components["schemas"]["Scope"][];
        };
        /** @description How a node went in the newest runs of its flow. */
        NodeStats: {
            /**
             * Format: int64
             * @description How many calls of its code there were.
             */
            calls: number;
            /**
             * Format: int64
             * @description In how many of those it failed for good.
             */
            failed: number;
            /** @description The node. */
            name: string;
            /**
             * Format: int64
             * @description In half of those runs, the calls took at most this.
             */
            p50_ms?: number | null;
            /**
             * Format: int64
             * @description In 95 of 100, at most this.
             */
            p95_ms?: number | null;
            /**
             * Format: int64
             * @description In how many runs its code was called.
             */
            runs: number;
        };
        /** @description One node, or one hook. */
        NodeView: {
            /** @description Its calls; of its polls the last hundred. */
            attempts?: components["schemas"]["CallView"][];
            /**
             * Format: int64
             * @description When it was first ready to go.
             */
            began_at_ms?: number | null;
            /**
             * Format: int64
             * @description Time spent in those.
             */
            busy_ms: number;
            /**
             * Format: int32
             * @description How many calls of its code were recorded.
             */
            calls: number;
            /**
             * Format: int64
             * @description When its last call was recorded.
             */
            ended_at_ms?: number | null;
            inner?: null | components["schemas"]["Inner"];
            /** @description Whether nothing will happen with it any more. */
            is_final: boolean;
            /** @description Its name. */
            name: string;
            /** @description The states that it was in between waiting and its end. */
            phases?: components["schemas"]["Phase"][];
            /** @description What its last failed or unfinished call said. */
            said?: string | null;
            /** @description Where it stands: `waiting`, `ready`, `running`, `succeeded`, `failed`… */
            status: string;
            /** @description Whom it waits for: a signal, an operator. */
            waits_for?: string | null;
            /** @description The worker that has a call of it in hand now. Who made the calls before is not recorded. */
            worker?: string | null;
        };
        /** @description Where a run goes on from another. */
        Origin: {
            /** @description Who asked. */
            by: string;
            /** @description The other run. */
            run: string;
            /** @description What was asked for: `retry`, `rerun` or `fork`. */
            verb: string;
            /** @description Why. */
            why: string;
        };
        /** @description A page of a list. */
        Page_AttentionItem: {
            /** @description What stands on it. */
            items: {
                /** @description The node, as `resolve` takes it. */
                at?: string | null;
                /** @description The flow. */
                flow: string;
                /** @description Why it is listed. */
                kind: components["schemas"]["Waits"];
                /** @description The run; none when it is about all runs of a plan. */
                run?: string | null;
                /**
                 * Format: int64
                 * @description How many runs it is about.
                 */
                runs: number;
                /** @description The signal that is waited for. */
                signal?: string | null;
                /**
                 * Format: int64
                 * @description Since when it waits, or failed.
                 */
                since_ms?: number | null;
                /** @description What is the matter. */
                why: string;
            }[];
            /** @description What to give as `before` (of events: `after`) to get the next page; none when this was the last. */
            next?: string | null;
            /**
             * @description Whether not all was looked at that belongs on it: the service looks at so much for one answer, and no longer. With a
             *     `next` the rest is on further pages; without, ask for less: one flow, one kind.
             */
            partial?: boolean;
        };
        /** @description A page of a list. */
        Page_AuditRow: {
            /** @description What stands on it. */
            items: {
                /**
                 * Format: int64
                 * @description When.
                 */
                at_ms: number;
                bulk?: null | components["schemas"]["BulkRow"];
                /** @description From which address. */
                from?: string | null;
                /** @description What was asked for: an `operationId` of the OpenAPI document. */
                operation: string;
                /** @description The path. */
                path: string;
                /** @description The id of the request, or of the run that it was about. */
                request_id?: string | null;
                /** @description The run that it was about, if it was about one. */
                run?: string | null;
                /**
                 * Format: int32
                 * @description The status of the answer.
                 */
                status: number;
                /** @description Who; none when nobody was known. */
                who?: string | null;
                /** @description The reason that was given. */
                why?: string | null;
            }[];
            /** @description What to give as `before` (of events: `after`) to get the next page; none when this was the last. */
            next?: string | null;
            /**
             * @description Whether not all was looked at that belongs on it: the service looks at so much for one answer, and no longer. With a
             *     `next` the rest is on further pages; without, ask for less: one flow, one kind.
             */
            partial?: boolean;
        };
        /** @description A page of a list. */
        Page_ContextRow: {
            /** @description What stands on it. */
            items: {
                /** @description It in base 64, if it is no text. */
                base64?: string | null;
                /**
                 * Format: int64
                 * @description How many bytes it has.
                 */
                bytes: number;
                /** @description Whether only its beginning is here. */
                cut?: boolean;
                /** @description Its key. */
                key: string;
                /** @description It, if it is text: JSON in most cases. */
                text?: string | null;
            }[];
            /** @description What to give as `before` (of events: `after`) to get the next page; none when this was the last. */
            next?: string | null;
            /**
             * @description Whether not all was looked at that belongs on it: the service looks at so much for one answer, and no longer. With a
             *     `next` the rest is on further pages; without, ask for less: one flow, one kind.
             */
            partial?: boolean;
        };
        /** @description A page of a list. */
        Page_EventRow: {
            /** @description What stands on it. */
            items: {
                /**
                 * Format: int64
                 * @description When it was recorded.
                 */
                at_ms: number;
                /** @description What kind of event it is: `RunStarted`, `NodeSucceeded`, `RunEnded`… */
                kind: string;
                /** @description The node that it is about. */
                node?: string | null;
                /**
                 * Format: int64
                 * @description Its place in the journal of its scope, from 0. In streams it is the event's id, for `Last-Event-ID`.
                 */
                seq: number;
                /** @description The same as a line to read. */
                text: string;
                /**
                 * Format: int64
                 * @description Of a call: how long it took, in microseconds.
                 */
                took_us?: number | null;
            }[];
            /** @description What to give as `before` (of events: `after`) to get the next page; none when this was the last. */
            next?: string | null;
            /**
             * @description Whether not all was looked at that belongs on it: the service looks at so much for one answer, and no longer. With a
             *     `next` the rest is on further pages; without, ask for less: one flow, one kind.
             */
            partial?: boolean;
        };
        /** @description A page of a list. */
        Page_FlowRow: {
            /** @description What stands on it. */
            items: {
                /** @description Whether this program has its code. */
                has_code: boolean;
                /** @description Its name. */
                name: string;
                /**
                 * Format: int64
                 * @description How many nodes its plan has.
                 */
                nodes?: number | null;
                /** @description The plan that new runs follow, by its hash; none when several are stored and nobody says which. */
                plan?: string | null;
                /** @description All plans of it that are stored. */
                plans: string[];
                /**
                 * Format: int64
                 * @description How many workers that are alive have the code of its plan.
                 */
                workers: number;
            }[];
            /** @description What to give as `before` (of events: `after`) to get the next page; none when this was the last. */
            next?: string | null;
            /**
             * @description Whether not all was looked at that belongs on it: the service looks at so much for one answer, and no longer. With a
             *     `next` the rest is on further pages; without, ask for less: one flow, one kind.
             */
            partial?: boolean;
        };
        /** @description A page of a list. */
        Page_QueueRow: {
            /** @description What stands on it. */
            items: {
                /** @description The flow. */
                flow: string;
                /**
                 * Format: int64
                 * @description How many are kept back, because their run is held.
                 */
                held: number;
                /**
                 * Format: int64
                 * @description How many are in the hands of workers.
                 */
                in_hand: number;
                /** @description The lane; none: the common one. */
                lane?: string | null;
                /**
                 * Format: int64
                 * @description How many become visible later.
                 */
                later: number;
                /**
                 * Format: int64
                 * @description Since when the oldest of those could.
                 */
                oldest_ready_ms?: number | null;
                /** @description The plan. */
                plan: string;
                /**
                 * Format: int64
                 * @description How many could be claimed now.
                 */
                ready: number;
            }[];
            /** @description What to give as `before` (of events: `after`) to get the next page; none when this was the last. */
            next?: string | null;
            /**
             * @description Whether not all was looked at that belongs on it: the service looks at so much for one answer, and no longer. With a
             *     `next` the rest is on further pages; without, ask for less: one flow, one kind.
             */
            partial?: boolean;
        };
        /** @description A page of a list. */
        Page_RunRow: {
            /** @description What stands on it. */
            items: {
                /**
                 * Format: int64
                 * @description The moment by which it must have ended.
                 */
                deadline_ms?: number | null;
                /**
                 * Format: int64
                 * @description When it ended.
                 */
                ended_at_ms?: number | null;
                failure?: null | components["schemas"]["Failure"];
                /** @description The flow it is a run of. */
                flow: string;
                /** @description Its id. */
                id: string;
                /**
                 * Format: int64
                 * @description How many bytes its input has.
                 */
                input_bytes: number;
                /** @description How many runs of its flow with the same key are in flight at once may be limited. */
                key?: string | null;
                /** @description Its labels. */
                labels?: {
                    [key: string]: string;
                };
                /** @description The lane that its calls queue in. */
                lane?: string | null;
                origin?: null | components["schemas"]["Origin"];
                /**
                 * Format: int64
                 * @description How many bytes its output has, once there is one.
                 */
                output_bytes?: number | null;
                /** @description The plan that it follows, by its hash. */
                plan: string;
                /**
                 * Format: int32
                 * @description Higher goes first.
                 */
                priority?: number;
                /**
                 * Format: int64
                 * @description When it began.
                 */
                started_at_ms: number;
                /** @description Where it stands. */
                status: components["schemas"]["Status"];
                stopped?: null | components["schemas"]["Asked"];
                /** @description W3C trace context that it belongs to. */
                trace?: string | null;
            }[];
            /** @description What to give as `before` (of events: `after`) to get the next page; none when this was the last. */
            next?: string | null;
            /**
             * @description Whether not all was looked at that belongs on it: the service looks at so much for one answer, and no longer. With a
             *     `next` the rest is on further pages; without, ask for less: one flow, one kind.
             */
            partial?: boolean;
        };
        /** @description A page of a list. */
        Page_ScopeRow: {
            /** @description What stands on it. */
            items: {
                /**
                 * Format: int64
                 * @description When it ended.
                 */
                ended_at_ms?: number | null;
                /** @description Its key. */
                key: string;
                /** @description Why it failed. */
                said?: string | null;
                /**
                 * Format: int64
                 * @description When it was known that it will be.
                 */
                since_ms: number;
                /** @description Where it stands. */
                status: components["schemas"]["ScopeStatus"];
            }[];
            /** @description What to give as `before` (of events: `after`) to get the next page; none when this was the last. */
            next?: string | null;
            /**
             * @description Whether not all was looked at that belongs on it: the service looks at so much for one answer, and no longer. With a
             *     `next` the rest is on further pages; without, ask for less: one flow, one kind.
             */
            partial?: boolean;
        };
        /** @description A page of a list. */
        Page_TokenRow: {
            /** @description What stands on it. */
            items: {
                /**
                 * Format: int64
                 * @description When it was made.
                 */
                created_at_ms: number;
                /**
                 * Format: int64
                 * @description When it ends.
                 */
                expires_at_ms: number;
                /** @description With which flows. */
                flows: string[];
                /** @description Its id. */
                id: string;
                /** @description Who it is for. */
                name: string;
                /** @description What it is good for. */
                scopes: components["schemas"]["Scope"][];
            }[];
            /** @description What to give as `before` (of events: `after`) to get the next page; none when this was the last. */
            next?: string | null;
            /**
             * @description Whether not all was looked at that belongs on it: the service looks at so much for one answer, and no longer. With a
             *     `next` the rest is on further pages; without, ask for less: one flow, one kind.
             */
            partial?: boolean;
        };
        /** @description A state that a node was in, and when. */
        Phase: {
            /**
             * Format: int64
             * @description Since when.
             */
            since_ms: number;
            /** @description The state. */
            status: string;
            /**
             * Format: int64
             * @description Until when; none while it lasts.
             */
            until_ms?: number | null;
        };
        /** @description What went wrong. Branch on `code`: it stays the same when the words are improved. */
        Problem: {
            /** @description A stable code. */
            code: string;
            /** @description What happened, why, and what to do. */
            detail: string;
            /** @description The id of the request, or of the run that it was about. */
            request_id?: string | null;
            /**
             * Format: int32
             * @description The HTTP status.
             */
            status: number;
            /** @description The problem in a few words. */
            title: string;
            /** @description Where the problem is explained: `docs/errors/` and the code. */
            type: string;
        };
        /** @description The calls of one flow's plan that queue in one lane. */
        QueueRow: {
            /** @description The flow. */
            flow: string;
            /**
             * Format: int64
             * @description How many are kept back, because their run is held.
             */
            held: number;
            /**
             * Format: int64
             * @description How many are in the hands of workers.
             */
            in_hand: number;
            /** @description The lane; none: the common one. */
            lane?: string | null;
            /**
             * Format: int64
             * @description How many become visible later.
             */
            later: number;
            /**
             * Format: int64
             * @description Since when the oldest of those could.
             */
            oldest_ready_ms?: number | null;
            /** @description The plan. */
            plan: string;
            /**
             * Format: int64
             * @description How many could be claimed now.
             */
            ready: number;
        };
        /** @description Why something is asked for. It is recorded with who asked. */
        Reason: {
            /** @description Why. */
            why?: string;
        };
        /** @description A run of which something could not be done. */
        Refused: {
            /** @description The code of the problem. */
            code: string;
            /** @description What happened. */
            detail: string;
            /** @description The run. */
            id: string;
        };
        /** @description How it goes on with a node that waits for an operator. */
        Resolve: {
            /** @description The node, as `attention` names it: `node`, inside others `outer[key]/node`. */
            at: string;
            /** @description What is to be done. */
            choice: components["schemas"]["Choice"];
            /** @description Of `done`: what the node gave; `null` unless given. */
            output?: Record<string, never> | null;
            /** @description Why. */
            why?: string;
        };
        /** @description What the stream of all runs says: a run began, or something about it changed. */
        RunChanged: {
            /** @description The run as it stands now. */
            run: components["schemas"]["RunRow"];
        };
        /** @description What calls of a run said. */
        RunLogs: {
            /**
             * Format: int64
             * @description How many lines were said besides, and not kept.
             */
            dropped: number;
            /** @description The lines, in the order in which the calls ended. */
            lines: components["schemas"]["LogRow"][];
            /** @description The `after` of the next page; none when this was the last. */
            next?: string | null;
            /** @description How far it was read: as `after` it asks for what was said from then on. */
            seen?: string;
        };
        /** @description A run in short. */
        RunRow: {
            /**
             * Format: int64
             * @description The moment by which it must have ended.
             */
            deadline_ms?: number | null;
            /**
             * Format: int64
             * @description When it ended.
             */
            ended_at_ms?: number | null;
            failure?: null | components["schemas"]["Failure"];
            /** @description The flow it is a run of. */
            flow: string;
            /** @description Its id. */
            id: string;
            /**
             * Format: int64
             * @description How many bytes its input has.
             */
            input_bytes: number;
            /** @description How many runs of its flow with the same key are in flight at once may be limited. */
            key?: string | null;
            /** @description Its labels. */
            labels?: {
                [key: string]: string;
            };
            /** @description The lane that its calls queue in. */
            lane?: string | null;
            origin?: null | components["schemas"]["Origin"];
            /**
             * Format: int64
             * @description How many bytes its output has, once there is one.
             */
            output_bytes?: number | null;
            /** @description The plan that it follows, by its hash. */
            plan: string;
            /**
             * Format: int32
             * @description Higher goes first.
             */
            priority?: number;
            /**
             * Format: int64
             * @description When it began.
             */
            started_at_ms: number;
            /** @description Where it stands. */
            status: components["schemas"]["Status"];
            stopped?: null | components["schemas"]["Asked"];
            /** @description W3C trace context that it belongs to. */
            trace?: string | null;
        };
        /** @description A run, or one scope of it, to look at. */
        RunView: {
            /** @description The flow it is a run of. */
            flow: string;
            /** @description The hooks of its flow that were called or are due. */
            hooks?: components["schemas"]["NodeView"][];
            /** @description The run. */
            id: string;
            /** @description The code that it waits for, because nobody who looked has it. */
            missing?: string[];
            /** @description Its nodes, as drawn. */
            nodes: components["schemas"]["NodeView"][];
            /** @description How it ended, or will end, in words. */
            outcome?: string | null;
            /** @description Where in the run this is: empty for the run itself, `outer[key]` for an item or an arm. */
            scope?: string;
            /**
             * Format: int64
             * @description When it began.
             */
            started_at_ms: number;
            /** @description Where it stands. */
            status: components["schemas"]["Status"];
            /**
             * Format: int64
             * @description From its start to its end, or until now.
             */
            took_ms: number;
            /** @description W3C trace context that the run belongs to. */
            trace?: string | null;
        };
        /**
         * @description A right. `admin` includes `operator`, which includes `viewer`; `payload:read` is included in none.
         * @enum {string}
         */
        Scope: "viewer" | "operator" | "admin" | "payload:read";
        /** @description A scope that a node opened: an item of a foreach, an arm of a branch, a basin. */
        ScopeRow: {
            /**
             * Format: int64
             * @description When it ended.
             */
            ended_at_ms?: number | null;
            /** @description Its key. */
            key: string;
            /** @description Why it failed. */
            said?: string | null;
            /**
             * Format: int64
             * @description When it was known that it will be.
             */
            since_ms: number;
            /** @description Where it stands. */
            status: components["schemas"]["ScopeStatus"];
        };
        /**
         * @description Where a scope stands, as the node around it knows.
         * @enum {string}
         */
        ScopeStatus: "waiting" | "running" | "parked" | "succeeded" | "failed";
        /** @description A run to start. Its input is JSON here; `POST /flow/{name}` takes any bytes. */
        StartRun: {
            /**
             * Format: int64
             * @description How long it may take, with all its waits.
             */
            deadline_in_ms?: number | null;
            /** @description The flow. */
            flow: string;
            /** @description The run's id; the same id with the same flow and input again is the same run. Generated unless given. */
            id?: string | null;
            /** @description Its input: any JSON. */
            input?: Record<string, never>;
            /** @description Its key, see [`RunRow::key`]. */
            key?: string | null;
            /** @description Its labels. */
            labels?: {
                [key: string]: string;
            };
            /** @description Its lane, see [`RunRow::lane`]. */
            lane?: string | null;
            /**
             * Format: int32
             * @description Higher goes first.
             */
            priority?: number;
        };
        /**
         * @description Where a run stands.
         * @enum {string}
         */
        Status: "queued" | "running" | "paused" | "needs-attention" | "stopping" | "succeeded" | "failed" | "stopped";
        /** @description A token without its secret, of which only a hash is kept. */
        TokenRow: {
            /**
             * Format: int64
             * @description When it was made.
             */
            created_at_ms: number;
            /**
             * Format: int64
             * @description When it ends.
             */
            expires_at_ms: number;
            /** @description With which flows. */
            flows: string[];
            /** @description Its id. */
            id: string;
            /** @description Who it is for. */
            name: string;
            /** @description What it is good for. */
            scopes: components["schemas"]["Scope"][];
        };
        /**
         * @description Why something waits for a person, or is told to one.
         * @enum {string}
         */
        Waits: "operator" | "undo" | "quarantined" | "signal" | "code" | "suspect" | "failed";
        /** @description A worker. */
        WorkerRow: {
            /** @description The machine it runs on. */
            host: string;
            /** @description Its id. */
            id: string;
            /**
             * Format: int64
             * @description How many calls it has in hand.
             */
            in_hand: number;
            /** @description Whether its time is not over. */
            is_alive: boolean;
            /** @description The plans it lacks code for. */
            lacks?: components["schemas"]["Lack"][];
            /** @description The lanes it serves. */
            lanes: string[];
            /** @description The name that people gave it. */
            name?: string | null;
            /**
             * Format: int32
             * @description Its process there.
             */
            pid: number;
            /** @description The plans it has the code for, by hash. */
            serves: string[];
            /**
             * Format: int64
             * @description How many calls it makes at once.
             */
            slots: number;
            /**
             * Format: int64
             * @description Until when it counts as alive.
             */
            until_ms: number;
            /** @description The version of the program. */
            version: string;
        };
        /** @description The workers of a store. */
        Workers: {
            /**
             * Format: int64
             * @description How many commits were refused because who made them did not hold the task any more.
             */
            fenced: number;
            /**
             * Format: int64
             * @description How many tasks were taken from workers that were given up.
             */
            taken_over: number;
            /** @description Those that were not given up. */
            workers: components["schemas"]["WorkerRow"][];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    list_attention: {
        parameters: {
            query?: {
                /** @description Only what waits for this reason. */
                kind?: components["schemas"]["Waits"];
                /** @description Only of this flow. */
                flow?: string;
                /** @description How long a node waits for a signal before it is listed; an hour unless said. */
                signal_after_ms?: number;
                /** @description The most runs of each kind; 100 unless said, at most 1,000. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What waits, the most urgent first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_AttentionItem"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_audit: {
        parameters: {
            query?: {
                /** @description Only what they did. */
                who?: string;
                /** @description Only this: an `operationId` of this document. */
                operation?: string;
                /** @description Only what was about this run. */
                run?: string;
                /** @description What the page before gave as `next`. */
                before?: string;
                /** @description The most rows; 100 unless said, at most 1,000. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_AuditRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    count_runs: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description By status. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Counts"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    docs: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    docs_style: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A style sheet. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/css": string;
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    figures: {
        parameters: {
            query?: {
                /** @description How far back; 60 unless said, at most 44,640 (31 days). */
                minutes?: number;
                /** @description In how many steps; 60 unless said, at most 500. */
                buckets?: number;
                /** @description Only of this flow. */
                flow?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A number for each step. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Figures"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_flows: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All that may be seen. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_FlowRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_flow: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The flow. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The flow. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlowView"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    flow_grid: {
        parameters: {
            query?: {
                /** @description How many runs; 25 unless said, and at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description The flow. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Runs and nodes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Grid"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    flow_plan: {
        parameters: {
            query?: {
                /** @description `json` unless said, `definition`, `dot` or `mermaid`. */
                format?: string;
                /** @description Another plan of the flow than new runs follow, by its hash. */
                plan?: string;
            };
            header?: never;
            path: {
                /** @description The flow. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The plan. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    flow_stats: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The flow. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The figures. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlowStats"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    me: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Whoever asks. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    openapi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The document. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_queues: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All that may be seen. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_QueueRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_runs: {
        parameters: {
            query?: {
                /** @description Only of this flow. */
                flow?: string;
                /** @description Only with this status; may be given several times. */
                status?: components["schemas"]["Status"];
                /** @description Only with this label, as `key:value`; may be given several times. */
                label?: string;
                /** @description Only those that began then or later. */
                since_ms?: number;
                /** @description Only those that began before then. */
                until_ms?: number;
                /** @description Only those whose id begins like this. */
                id?: string;
                /** @description Only those with this text in their id, in the value of a label, or in what they failed with. */
                q?: string;
                /** @description What the page before gave as `next`. */
                before?: string;
                /** @description The most rows; 100 unless said, at most 1,000. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_RunRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    start_run: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["StartRun"];
            };
        };
        responses: {
            /** @description The run. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Accepted"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    bulk: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Bulk"];
            };
        };
        responses: {
            /** @description What was done, or would be. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkDone"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_run: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The run. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_run: {
        parameters: {
            query?: {
                /** @description A reason, for the audit log. */
                why?: string;
            };
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is gone. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    run_attention: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What waits. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_AttentionItem"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    run_context: {
        parameters: {
            query?: {
                /** @description A part of it: an item or an arm as `outer[key]`, a basin as `outer`. */
                scope?: string;
            };
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All of it. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_ContextRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    run_events: {
        parameters: {
            query?: {
                /** @description Of a part of it: an item or an arm as `outer[key]`, a basin as `outer`. */
                scope?: string;
                /** @description What the page before gave as `next`. */
                after?: string;
                /** @description The most rows; 100 unless said, at most 1,000. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_EventRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    fork_run: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ForkRun"];
            };
        };
        responses: {
            /** @description The new run. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    run_input: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The input, as it is. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": number[];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    kill_run: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Reason"];
            };
        };
        responses: {
            /** @description The run. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    run_logs: {
        parameters: {
            query?: {
                /** @description A scope inside: `each[3]`; the run's own unless said. */
                scope?: string;
                /** @description Only of this node. */
                node?: string;
                /** @description What the page before gave as `next`. */
                after?: string;
                /** @description About how many lines; 1,000 unless said, at most 5,000. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunLogs"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    node_input: {
        parameters: {
            query: {
                /** @description The node; one inside of others as `outer[key]/node`. */
                at: string;
            };
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What flowed in. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": number[];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    node_output: {
        parameters: {
            query: {
                /** @description The node; one inside of others as `outer[key]/node`. */
                at: string;
            };
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What it gave. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": number[];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    run_output: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The output, as it is. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": number[];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pause_run: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Reason"];
            };
        };
        responses: {
            /** @description The run. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    rerun_run: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Reason"];
            };
        };
        responses: {
            /** @description The new run. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resolve_run: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Resolve"];
            };
        };
        responses: {
            /** @description The run. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resume_run: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Reason"];
            };
        };
        responses: {
            /** @description The run. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    retry_run: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Reason"];
            };
        };
        responses: {
            /** @description The new run. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    run_scopes: {
        parameters: {
            query: {
                /** @description The node; one inside of others as `outer[key]/node`. */
                at: string;
                /** @description Only with this status. */
                status?: components["schemas"]["ScopeStatus"];
                /** @description What the page before gave as `next`. */
                after?: string;
                /** @description The most rows; 100 unless said, at most 1,000. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_ScopeRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    signal_run: {
        parameters: {
            query?: {
                /** @description For a node inside of others: where. */
                scope?: string;
            };
            header?: {
                /** @description The signal's id. */
                "X-Request-Id"?: string | null;
            };
            path: {
                /** @description The run. */
                id: string;
                /** @description The signal. */
                name: string;
            };
            cookie?: never;
        };
        /** @description What it carries, as it is. */
        requestBody: {
            content: {
                "application/octet-stream": number[];
            };
        };
        responses: {
            /** @description It is recorded. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    stop_run: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Reason"];
            };
        };
        responses: {
            /** @description The run. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    stream_run: {
        parameters: {
            query?: never;
            header?: {
                /** @description The last event that was seen. */
                "Last-Event-ID"?: string | null;
            };
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Server-sent events. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["EventRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    view_run: {
        parameters: {
            query?: {
                /** @description A part of it: an item or an arm as `outer[key]`, a basin as `outer`. */
                scope?: string;
            };
            header?: never;
            path: {
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Its nodes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunView"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    begin_session: {
        parameters: {
            query?: {
                /** @description In the place of whoever else is signed in. */
                instead?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Who is signed in. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    end_session: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description There is no session any more. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    stream_runs: {
        parameters: {
            query?: {
                /** @description Only of this flow. */
                flow?: string;
            };
            header?: {
                /** @description The last event that was seen. */
                "Last-Event-ID"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Server-sent events. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["RunChanged"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_tokens: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_TokenRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    make_token: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewToken"];
            };
        };
        responses: {
            /** @description The token, with its secret. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MadeToken"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    revoke_token: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The token's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is good for nothing any more. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_workers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Those that were not given up. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Workers"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    call_flow: {
        parameters: {
            query?: never;
            header?: {
                /** @description `wait=N`: for how many seconds; or `respond-async`. */
                Prefer?: string | null;
                /** @description Answer at once. */
                "X-Async"?: boolean | null;
                /** @description The run's id. */
                "X-Request-Id"?: string | null;
                /** @description Who is told the result or the failure, if allowed. */
                "X-Callback-Url"?: string | null;
                /** @description W3C trace context that the run belongs to. */
                traceparent?: string | null;
            };
            path: {
                /** @description The flow. */
                name: string;
            };
            cookie?: never;
        };
        /** @description The flow's input, as it is. */
        requestBody: {
            content: {
                "application/octet-stream": number[];
            };
        };
        responses: {
            /** @description The output, as it is. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": number[];
                };
            };
            /** @description The run goes on. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Accepted"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    goflow_look: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The flow. */
                name: string;
                /** @description `list`, or `state` and the run's id right behind it. */
                word: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A run, or a list. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    goflow_control: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The flow. */
                name: string;
                /** @description `stop`, `pause` or `resume`, and the run's id right behind it. */
                word: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description goflow's words. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    goflow_look_at: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The flow. */
                name: string;
                /** @description `state`. */
                word: string;
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The run. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunRow"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    goflow_control_of: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The flow. */
                name: string;
                /** @description `stop`, `pause` or `resume`. */
                word: string;
                /** @description The run. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description goflow's words. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Prometheus' text format. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    ready: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It can. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description A problem. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
