// Made from docs/openapi/public.json by `npm run generate`. Do not edit.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @example build-events */
        FlagKey: string;
        /**
         * @example {
         *       "targetingKey": "u-1",
         *       "attributes": {
         *         "platform": "web"
         *       }
         *     }
         */
        Question: {
            targetingKey?: components["schemas"]["TargetingKey"];
            /** @description What the rules of flags may ask. Lists and objects are values no rule can ask for. */
            attributes?: Record<string, never> | null;
        };
        /** @description Who asks: at most 256 bytes of UTF-8, taken as given. Empty and null are as good as none. */
        TargetingKey: string | null;
        /** @description What a client goes by. Nothing in it is particular to the user, the moment or the revision. Members may be added; ignore those you do not know. */
        StrategyDocument: {
            flag: components["schemas"]["FlagKey"];
            strategy: components["schemas"]["Strategy"];
            reason: components["schemas"]["Reason"];
            rule: components["schemas"]["Rule"];
            /** @description Ask again after this long. */
            validForMs: number;
            /** @description Keep the answer this long while asking fails. */
            staleIfErrorMs: number;
            /** @description Enter realtime after a wait of this long at most, by chance; leave it at once, and spread the first poll over this long. */
            enterSpreadMs: number;
            /** @description Where to hear that this document is another. */
            watch: {
                /** @constant */
                kind: "sse";
                /** @description Takes the same body with POST, or a session token with GET. */
                url: string;
                /** @description Where each event is acknowledged. */
                ackUrl: string;
            };
            polling: components["schemas"]["Polling"];
            realtime?: components["schemas"]["Realtime"];
        };
        /**
         * @description The transport a client uses for live updates.
         * @enum {string}
         */
        Strategy: "polling" | "realtime-v2" | "disabled";
        /**
         * @description OpenFeature's reason.
         * @enum {string}
         */
        Reason: "STATIC" | "TARGETING_MATCH" | "SPLIT" | "DEFAULT" | "ERROR";
        /**
         * @description The step that decided.
         * @enum {string}
         */
        Rule: "stop" | "off" | "deny" | "allow" | "rule" | "rollout" | "default" | "no-unit" | "server-auth" | "error" | "cold-start";
        StrategyDocuments: {
            /** @description In the order of keys. */
            flags: components["schemas"]["StrategyDocument"][];
        };
        /** @description How to poll; always there, as whatever fails a client polls. */
        Polling: {
            /** @description A template, if the flag names one. */
            url?: string;
            /** @description The first wait between two polls. */
            startMs: number;
            /** @description The shortest wait. */
            minMs: number;
            /** @description The longest wait. */
            maxMs: number;
            /** @description By how much an idle client's wait grows. */
            factor: number;
            /** @description How far apart two polls of a stream start at least. */
            dedupeMs: number;
            /** @description Events an answer carries at most. */
            limit: number;
            /** @description How long a poll asks to be held until there is something. */
            waitMs: number;
        };
        /** @description How to connect; there when the strategy is `realtime-v2`. */
        Realtime: {
            /** @enum {string} */
            kind: "sse" | "websocket";
            /** @description A template, if the flag names one. */
            url?: string;
            /** @description How long a token lives. */
            tokenTtlMs: number;
            retryMs: number[];
        };
        /** @description Problem details (RFC 9457). */
        Problem: {
            title: string;
            status: number;
            /** @description Stable; go by this. */
            code: string;
            /** @description For people; never repeats what was sent. */
            detail: string;
        };
        /**
         * @example {
         *       "context": {
         *         "targetingKey": "u-1",
         *         "platform": "web"
         *       }
         *     }
         */
        OfrepRequest: {
            context: {
                targetingKey?: components["schemas"]["TargetingKey"];
            } & {
                [key: string]: unknown;
            };
        };
        OfrepSuccess: {
            key: components["schemas"]["FlagKey"];
            reason: components["schemas"]["Reason"];
            value: components["schemas"]["Strategy"];
            variant: components["schemas"]["Strategy"];
            /** @description The strategy document, flat: `rule`, `validForMs`, `polling.startMs`, …; lists are comma separated. */
            metadata: {
                [key: string]: string | number | boolean;
            };
        };
        /** @description A failure of one flag. */
        OfrepFailure: {
            key: string;
            /** @enum {string} */
            errorCode: "PARSE_ERROR" | "INVALID_CONTEXT" | "FLAG_NOT_FOUND" | "GENERAL" | "TARGETING_KEY_MISSING";
            errorDetails: string;
        };
        /** @description A failure of the whole request. */
        OfrepRequestFailure: {
            /** @enum {string} */
            errorCode: "PARSE_ERROR" | "INVALID_CONTEXT" | "FLAG_NOT_FOUND" | "GENERAL" | "TARGETING_KEY_MISSING";
            errorDetails: string;
        };
        OfrepBulk: {
            /** @description In the order of keys; a failure of one flag never fails the others. */
            flags: (components["schemas"]["OfrepSuccess"] | components["schemas"]["OfrepFailure"])[];
            /** @description Where to hear of changes. */
            eventStreams: {
                /** @constant */
                type: "sse";
                endpoint: {
                    requestUri: string;
                };
            }[];
        };
        /** @description What happened, by its `type`; ignore those you do not know. `strategy` has a `document`, `strategies` has `documents`. `refetch`: the state is too large for an event; ask for it. `heartbeat`: by now you hold the document of this tag, or ask again. `goodbye`: come back after `afterMs`. */
        WatchEvent: {
            /**
             * @example strategy
             * @example strategies
             * @example refetch
             * @example heartbeat
             * @example goodbye
             */
            type: string;
            /** @description The tag of the state. */
            etag?: string;
            /** @description In the first event: the name of this stream. */
            ackId?: string;
            /** @description In the first event: between two signs of life. */
            heartbeatMs?: number;
            document?: components["schemas"]["StrategyDocument"];
            documents?: components["schemas"]["StrategyDocuments"];
            /**
             * @description Why the stream ends.
             * @example stopping
             * @example age
             * @example expired
             * @example unknown-flag
             * @example asks-more
             */
            reason?: string;
            /** @description Come back after this long. */
            afterMs?: number;
        };
        OfrepEvent: {
            /** @constant */
            type: "refetchEvaluation";
            /** @description The configuration: `r213`. */
            etag: string;
        };
        Acknowledgement: {
            /** @description The stream, from its first event. */
            ackId: string;
            /** @description The id of the newest event that was heard. */
            position: string;
        };
        Health: {
            /** @constant */
            status: "ok";
        };
        Readiness: {
            /** @enum {string} */
            status: "ready" | "cold-start";
            revision: string;
            /** @description Flags known. */
            flags: number;
            /** @description What is wrong with the files; never makes it unready. */
            problems: number;
        };
        /** @description Problem details, with the cursor to go on from where one helps. */
        CursorProblem: {
            title: string;
            status: number;
            /** @description Stable; go by this. */
            code: string;
            /** @description For people; never repeats what was sent. */
            detail: string;
            cursor?: components["schemas"]["Cursor"];
        };
        /** @description Where a reader is in a stream; opaque. */
        Cursor: string;
        Page: {
            events: components["schemas"]["Event"][];
            cursor: components["schemas"]["Cursor"];
            /** @description Whether there are further events. */
            hasMore: boolean;
            /**
             * @description No event follows any more.
             * @constant
             */
            ended?: true;
        };
        Event: {
            id: components["schemas"]["EventId"];
            cursor: components["schemas"]["Cursor"];
            type: components["schemas"]["EventType"];
            /**
             * Format: date-time
             * @description When it was committed, by the node's clock.
             */
            at: string;
            /** @description As it was published. */
            data: unknown;
        };
        /** @description Printable ASCII; once in a stream. */
        EventId: string;
        EventType: string;
        /**
         * @description At most 262144 bytes.
         * @example {
         *       "readers": [
         *         "u-1"
         *       ],
         *       "events": [
         *         {
         *           "id": "e-1",
         *           "type": "build.started",
         *           "data": {
         *             "step": 1
         *           }
         *         }
         *       ]
         *     }
         */
        Publish: {
            /** @description Replaces all readers: targeting keys, or every verified user. Left out, nothing changes. */
            readers?: "verified" | string[] | null;
            /** @description `true`: no event follows these. */
            ended?: boolean | null;
            events?: components["schemas"]["NewEvent"][];
        };
        NewEvent: {
            id: components["schemas"]["EventId"];
            type: components["schemas"]["EventType"];
            /** @description Any JSON, of at most 32768 bytes. */
            data: unknown;
        };
        Published: {
            cursor: components["schemas"]["Cursor"];
            /** @description How many events are new. */
            accepted: number;
            /** @description How many were known already. */
            duplicates: number;
        };
        Deleted: {
            /** @description Whether there was one. */
            existed: boolean;
        };
        Streams: {
            streams: components["schemas"]["Stream"][];
            /** @description Whether there are further ones: `after` is the last name here. */
            hasMore: boolean;
        };
        Stream: {
            stream: string;
            /** @description How many events there ever were. */
            head: number;
            /** @description How many of them are kept. */
            kept: number;
            /** @description What it takes of TURNOUT_EVENTS_MAX_BYTES. */
            bytes: number;
            /** @description How many users may read it. */
            readers: number | "verified";
            ended: boolean;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
