// Made from docs/openapi/public.json by `npm run generate`. Do not edit.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description What the client of a stream holds. */
        Acknowledgement: {
            /** @description The stream, from its first event. */
            ackId: string;
            /** @description The id of the newest event that was heard. */
            position: string;
        };
        /**
         * @description It runs.
         * @enum {string}
         */
        Alive: "ok";
        /**
         * @description What a client did at the end of the window.
         * @enum {string}
         */
        ClientMode: "idle" | "polling" | "connecting" | "live" | "degraded" | "disabled" | "unauthenticated" | "ended" | "stopped";
        /**
         * @description Why a stream ends.
         * @example stopping
         * @example age
         * @example expired
         * @example unknown-flag
         * @example asks-more
         * @example strategy
         * @example ended
         * @example stream-not-found
         * @example replaced
         * @example events-unavailable
         */
        CloseReason: string;
        /**
         * @description Stable; go by this.
         * @example parse-error
         * @example invalid-context
         * @example too-large
         * @example timeout
         * @example unauthenticated
         * @example wrong-subject
         * @example origin-not-listed
         * @example flag-not-found
         * @example no-such-stream
         * @example too-many-streams
         * @example no-such-route
         * @example no-such-method
         * @example bad-host
         * @example wrong-host
         * @example not-permitted
         * @example flag-not-permitted
         * @example no-such-token
         * @example invalid-request
         * @example no-randomness
         * @example busy
         * @example no-definition
         * @example shares-exceed-100
         * @example disabled-is-default
         * @example not-stopped
         * @example nothing-to-roll-back
         * @example no-definition-at-revision
         * @example no-such-revision
         * @example reason-required
         * @example key-reused
         * @example may-only-narrow
         * @example revision-conflict
         * @example name-taken
         * @example too-many-tokens
         * @example database-down
         * @example disk-full
         * @example outcome-unknown
         * @example stream-not-found
         * @example bad-limit
         * @example bad-cursor
         * @example stream-reset
         * @example cursor-expired
         * @example event-exists
         * @example stream-ended
         * @example events-full
         * @example events-unavailable
         * @example bad-report
         * @example quota-exceeded
         * @example no-such-key
         * @example too-many-keys
         * @example not-realtime
         * @example behind
         * @example issuer-unavailable
         */
        Code: string;
        /** @description Where a reader is in a stream; opaque. */
        Cursor: string;
        /** @description Problem details, with the cursor to go on from. */
        CursorProblem: {
            title: string;
            /** Format: int32 */
            status: number;
            code: components["schemas"]["Code"];
            /** @description For people; never repeats what was sent. */
            detail: string;
            cursor: components["schemas"]["Cursor"];
        };
        /** @description What became of a stream that was removed. */
        Deleted: {
            /** @description Whether there was one. */
            existed: boolean;
        };
        /**
         * @description OpenFeature's code of an error.
         * @enum {string}
         */
        ErrorCode: "PARSE_ERROR" | "INVALID_CONTEXT" | "FLAG_NOT_FOUND" | "GENERAL" | "TARGETING_KEY_MISSING";
        /** @description An event of a page. */
        Event: {
            id: components["schemas"]["EventId"];
            /** @description Where a reader is that has it. */
            cursor: components["schemas"]["Cursor"];
            type: components["schemas"]["EventType"];
            /**
             * Format: date-time
             * @description When it was committed, by the node's clock, as RFC 3339.
             */
            at: string;
            /** @description JSON, as it was published. */
            data: unknown;
        };
        /** @description Printable ASCII; once in a stream. */
        EventId: string;
        /**
         * @description What happened; ignore those you do not know.
         * @example strategy
         * @example strategies
         * @example refetch
         * @example heartbeat
         * @example goodbye
         */
        EventKind: string;
        /**
         * @description The protocol of a stream.
         * @enum {string}
         */
        EventStreamKind: "sse";
        EventType: string;
        /**
         * @description Every verified user.
         * @enum {string}
         */
        EveryReader: "verified";
        /** @example build-events */
        FlagKey: string;
        /** @description How following the streams of one flag went. */
        FlagReport: {
            flag: components["schemas"]["FlagKey"];
            /** @description The strategy of the document that the client holds, if it holds one. */
            strategy?: components["schemas"]["Strategy"];
            mode: components["schemas"]["ClientMode"];
            poll?: components["schemas"]["PollReport"];
            /** @description From the start of a poll to the start of the next one of its stream. */
            intervalMs?: components["schemas"]["IntervalReport"];
            /**
             * @description From an event's `at` to the client, by the server's clock: the event that waited longest, of
             *     each delivery of live events. The first page, and what was caught up on, do not count.
             */
            latencyMs?: components["schemas"]["LatencyReport"];
            realtime?: components["schemas"]["RealtimeReport"];
            switches?: components["schemas"]["Switch"][];
            /**
             * Format: int64
             * @description Tokens that could not be refreshed.
             */
            refreshFailures?: number;
            /**
             * Format: int64
             * @description Copies of events that were dropped.
             */
            dedupDrops?: number;
            /**
             * Format: int64
             * @description Streams that began anew.
             */
            resets?: number;
            /** @description The user pressed "report a problem". */
            complaint?: boolean;
        };
        /** @description The process answers. */
        Health: {
            status: components["schemas"]["Alive"];
        };
        /**
         * @description How many intervals were in which range: up to 1, 2.5, 5, 7.5, 10, 15, 20, 30 and 60 s, and
         *     longer.
         */
        IntervalReport: {
            buckets: number[];
            /**
             * Format: int64
             * @description The sum of all, each counted as 60 s at most.
             */
            sumMs: number;
        };
        /** @description The public half of a key (RFC 7517 §4). */
        Jwk: {
            /** @example EC */
            kty: string;
            /** @example P-256 */
            crv: string;
            x: string;
            y: string;
            /** @description Its thumbprint (RFC 7638), which tokens name. */
            kid: string;
            /** @example ES256 */
            alg: string;
            /** @example sig */
            use: string;
        };
        /** @description The public halves of the keys that sessions and tokens are signed with (RFC 7517 §5). */
        Jwks: {
            keys: components["schemas"]["Jwk"][];
        };
        /**
         * @description How many latencies were in which range: up to 0.1, 0.25, 0.5, 1, 2.5, 5, 10 and 30 s, and
         *     longer.
         */
        LatencyReport: {
            buckets: number[];
            /**
             * Format: int64
             * @description The sum of all, each counted as 30 s at most.
             */
            sumMs: number;
        };
        /**
         * @description What happened; ignore those you do not know.
         * @example strategy
         * @example events
         * @example up-to-date
         * @example heartbeat
         * @example reset
         * @example goodbye
         */
        MessageKind: string;
        /** @description An event to publish. */
        NewEvent: {
            id: components["schemas"]["EventId"];
            type: components["schemas"]["EventType"];
            /** @description Any JSON, of at most 32768 bytes; sent as it was written. */
            data: unknown;
        };
        /**
         * @description A session to make for a user, by a server of the application.
         * @example {
         *       "targetingKey": "u-1",
         *       "streams": {
         *         "build-events": [
         *           "b-42"
         *         ]
         *       }
         *     }
         */
        NewSession: {
            targetingKey: string;
            /** @description What the rules of flags may ask. Lists and objects are values no rule can ask for. */
            attributes?: Record<string, never> | null;
            /** @description Streams of flags that the user may read besides those that list the user. */
            streams?: {
                [key: string]: string[];
            } | null;
            /**
             * Format: int64
             * @description How long it lives; one hour, unless said.
             */
            ttlMs?: number | null;
        };
        /**
         * @description What a token for streams is asked for, by a verified user.
         * @example {
         *       "flag": "build-events",
         *       "stream": "b-42"
         *     }
         */
        NewToken: {
            flag: components["schemas"]["FlagKey"];
            /** @description One stream; or `streams`. */
            stream?: string | null;
            /** @description At most 20 streams. */
            streams?: string[] | null;
            /** @description What the rules of flags may ask. Lists and objects are values no rule can ask for. */
            attributes?: Record<string, never> | null;
        };
        /** @description The values of all flags. */
        OfrepBulk: {
            /** @description In the order of keys; a failure of one flag never fails the others. */
            flags: components["schemas"]["OfrepEvaluation"][];
            /** @description Where to hear of changes. */
            eventStreams: components["schemas"]["OfrepEventStream"][];
        };
        /** @description An address without a host: it is the one that was asked. */
        OfrepEndpoint: {
            requestUri: string;
        };
        /** @description The value of a flag, or why it has none. */
        OfrepEvaluation: components["schemas"]["OfrepSuccess"] | components["schemas"]["OfrepFailure"];
        /** @description That the configuration is another. */
        OfrepEvent: {
            type: components["schemas"]["OfrepEventKind"];
            /** @description The configuration: `r213`. */
            etag: string;
        };
        /**
         * @description What an event asks for.
         * @enum {string}
         */
        OfrepEventKind: "refetchEvaluation";
        /** @description A stream that says when to ask again. */
        OfrepEventStream: {
            type: components["schemas"]["EventStreamKind"];
            endpoint: components["schemas"]["OfrepEndpoint"];
        };
        /** @description A failure of one flag. */
        OfrepFailure: {
            key: string;
            errorCode: components["schemas"]["ErrorCode"];
            errorDetails: string;
        };
        /** @description What may stand in metadata. */
        OfrepMetadataValue: string | number | boolean;
        /**
         * @description A question.
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
        /** @description A failure of the whole request. */
        OfrepRequestFailure: {
            errorCode: components["schemas"]["ErrorCode"];
            errorDetails: string;
        };
        /** @description The value of a flag. */
        OfrepSuccess: {
            key: components["schemas"]["FlagKey"];
            reason: components["schemas"]["Reason"];
            value: components["schemas"]["Strategy"];
            variant: components["schemas"]["Strategy"];
            /**
             * @description The strategy document, flat: `rule`, `validForMs`, `polling.startMs`, …; lists are comma
             *     separated.
             */
            metadata: {
                [key: string]: components["schemas"]["OfrepMetadataValue"];
            };
        };
        /** @description The events behind a cursor; `E` is [`PageEvent`], or JSON as it was sent. */
        Page: {
            events: components["schemas"]["Event"][];
            /** @description Where the next page begins. */
            cursor: components["schemas"]["Cursor"];
            /** @description Whether there are further events. */
            hasMore: boolean;
            /**
             * @description No event follows any more.
             * @enum {boolean}
             */
            ended?: true;
        };
        /** @description What polls came to. */
        PollReport: {
            /**
             * Format: int64
             * @description Polls that were answered, with events or without.
             */
            success?: number;
            /**
             * Format: int64
             * @description Polls that failed.
             */
            error?: number;
            /**
             * Format: int64
             * @description How many of the answered ones had nothing new.
             */
            empty?: number;
            /**
             * Format: int64
             * @description Polls that were one too many (429).
             */
            limited?: number;
        };
        /** @description How to poll; always there, as whatever fails a client polls. */
        Polling: {
            /** @description A template, if the flag names one. */
            url?: string;
            /**
             * Format: int64
             * @description The first wait between two polls.
             */
            startMs: number;
            /**
             * Format: int64
             * @description The shortest wait.
             */
            minMs: number;
            /**
             * Format: int64
             * @description The longest wait.
             */
            maxMs: number;
            /**
             * Format: double
             * @description By how much an idle client's wait grows.
             */
            factor: number;
            /**
             * Format: int64
             * @description How far apart two polls of a stream start at least.
             */
            dedupeMs: number;
            /**
             * Format: int32
             * @description Events an answer carries at most.
             */
            limit: number;
            /**
             * Format: int64
             * @description How long a poll asks to be held until there is something.
             */
            waitMs: number;
        };
        /** @description Problem details (RFC 9457). */
        Problem: {
            title: string;
            /** Format: int32 */
            status: number;
            code: components["schemas"]["Code"];
            /** @description For people; never repeats what was sent. */
            detail: string;
        };
        /**
         * @description What a publish asks for, in at most 262144 bytes.
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
        /** @description What became of a publish, once it is durable. */
        Published: {
            /** @description The end of the stream. */
            cursor: components["schemas"]["Cursor"];
            /**
             * Format: int64
             * @description How many events are new.
             */
            accepted: number;
            /**
             * Format: int64
             * @description How many were known already.
             */
            duplicates: number;
        };
        /**
         * @description Who asks, and what the rules of flags may ask about them.
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
        /** @description How many users may read a stream. */
        ReaderCount: components["schemas"]["EveryReader"] | number;
        /** @description What the service answers from. */
        Readiness: {
            status: components["schemas"]["Ready"];
            revision: string;
            /** @description Flags known. */
            flags: number;
            /** @description What is wrong with the files; never makes it unready. */
            problems: number;
        };
        /**
         * @description Whether any flag is known.
         * @enum {string}
         */
        Ready: "ready" | "cold-start";
        /** @description How to connect; there when the strategy is `realtime-v2`. */
        Realtime: {
            kind: components["schemas"]["RealtimeKind"];
            /** @description A template, if the flag names one. */
            url?: string;
            /** @description Where a session is exchanged for a token. */
            tokenUrl: string;
            /**
             * Format: int64
             * @description How long a token lives.
             */
            tokenTtlMs: number;
            /** @description The waits before the next attempts to connect. */
            retryMs: number[];
            /**
             * Format: int64
             * @description How long a stream may take to say that it is live; one that takes longer counts as failed.
             */
            connectMs: number;
            /**
             * Format: int64
             * @description How long a client that gave realtime up polls before it tries again.
             */
            fallbackMs: number;
        };
        /**
         * @description The protocol of a realtime connection.
         * @enum {string}
         */
        RealtimeKind: "sse" | "websocket";
        /**
         * @description What happened, by its `type`; ignore those you do not know. `strategy` has a `document`: leave
         *     once it is not `realtime-v2`. `events` are taken whole; `up-to-date` says that there are no
         *     further ones now. `reset`: begin anew at `cursor`. `goodbye`: the stream ends, or ends soon.
         */
        RealtimeMessage: {
            type: components["schemas"]["MessageKind"];
            /** @description Why the stream ends or is begun anew. */
            reason?: string;
            /** @description Each as it was sent. */
            events?: components["schemas"]["Event"][];
            /** @description Where the stream goes on behind this message. */
            cursor?: components["schemas"]["Cursor"];
            hasMore?: boolean;
            /** @description The tag of the document. */
            etag?: string;
            /** @description What an acknowledgement names. */
            position?: string;
            /** @description In the first message: the name of this stream. */
            ackId?: string;
            /**
             * Format: int64
             * @description In the first message: between two signs of life.
             */
            heartbeatMs?: number;
            document?: components["schemas"]["StrategyDocument"];
            /**
             * Format: int64
             * @description Milliseconds since 1970.
             */
            time?: number;
            /**
             * Format: int64
             * @description Come back after this long.
             */
            afterMs?: number;
        };
        /** @description How realtime connections fared. */
        RealtimeReport: {
            /**
             * Format: int64
             * @description Connections that became live.
             */
            connects?: number;
            /**
             * Format: int64
             * @description Connections that did not, or that broke.
             */
            failures?: number;
            /**
             * Format: int64
             * @description For how long streams were live, all together.
             */
            liveMs?: number;
        };
        /**
         * @description OpenFeature's reason.
         * @enum {string}
         */
        Reason: "STATIC" | "TARGETING_MATCH" | "SPLIT" | "DEFAULT" | "ERROR";
        /**
         * @description How following went in one tab, over all its streams, since its last report.
         * @example {
         *       "client": "turnout-client",
         *       "version": "0.1.0",
         *       "windowMs": 60000,
         *       "flags": [
         *         {
         *           "flag": "build-events",
         *           "strategy": "polling",
         *           "mode": "polling",
         *           "poll": {
         *             "success": 9,
         *             "error": 0,
         *             "empty": 7,
         *             "limited": 0
         *           },
         *           "intervalMs": {
         *             "buckets": [
         *               0,
         *               0,
         *               3,
         *               3,
         *               2,
         *               1,
         *               0,
         *               0,
         *               0,
         *               0
         *             ],
         *             "sumMs": 58000
         *           },
         *           "latencyMs": {
         *             "buckets": [
         *               0,
         *               0,
         *               0,
         *               1,
         *               1,
         *               0,
         *               0,
         *               0,
         *               0
         *             ],
         *             "sumMs": 2400
         *           },
         *           "complaint": false
         *         }
         *       ]
         *     }
         */
        Report: {
            /** @description The name of the client's library. */
            client?: string;
            /** @description The version of the client's library. */
            version?: string;
            /**
             * Format: int64
             * @description How long ago the window began, two minutes at most.
             */
            windowMs: number;
            /** @description Each flag whose streams the tab follows, once. */
            flags: components["schemas"]["FlagReport"][];
        };
        /** @description Where a client with a session token reports how following went, and how often. */
        Reporting: {
            url: string;
            /** Format: int64 */
            everyMs: number;
        };
        /**
         * @description Whose sessions are revoked.
         * @example {
         *       "targetingKey": "u-1"
         *     }
         */
        RevokeSessions: {
            /** @description Whose sessions: at most 256 bytes of UTF-8, taken as given. */
            targetingKey: string;
        };
        /**
         * @description The step that decided.
         * @enum {string}
         */
        Rule: "stop" | "off" | "deny" | "allow" | "rule" | "rollout" | "default" | "no-unit" | "server-auth" | "error" | "cold-start";
        /** @description A session. */
        Session: {
            /** @description A session token, which its user sends as `Authorization: Bearer`. */
            session: string;
            /** Format: int64 */
            expiresInMs: number;
        };
        /** @description What became of a revocation. It counts in any case. */
        SessionsRevoked: {
            /**
             * Format: int64
             * @description Whatever was issued to the user until then is refused, in milliseconds since 1970.
             */
            revokedAtMs: number;
            /** @description Whether it is durable. If not, it is written as soon as the disk takes it. */
            survivesRestart: boolean;
        };
        /**
         * @description The transport a client uses for live updates.
         * @enum {string}
         */
        Strategy: "polling" | "realtime-v2" | "disabled";
        /**
         * @description What a client goes by. Nothing in it is particular to the user, the moment or the revision.
         *     Members may be added; ignore those you do not know.
         */
        StrategyDocument: {
            flag: components["schemas"]["FlagKey"];
            strategy: components["schemas"]["Strategy"];
            reason: components["schemas"]["Reason"];
            rule: components["schemas"]["Rule"];
            /**
             * Format: int64
             * @description Ask again after this long.
             */
            validForMs: number;
            /**
             * Format: int64
             * @description Keep the answer this long while asking fails.
             */
            staleIfErrorMs: number;
            /**
             * Format: int64
             * @description Enter realtime after a wait of this long at most, by chance; leave it at once, and spread the
             *     first poll over this long.
             */
            enterSpreadMs: number;
            watch: components["schemas"]["Watch"];
            polling: components["schemas"]["Polling"];
            realtime?: components["schemas"]["Realtime"];
            report: components["schemas"]["Reporting"];
        };
        /** @description The strategy documents of all flags. */
        StrategyDocuments: {
            /** @description In the order of keys. */
            flags: components["schemas"]["StrategyDocument"][];
        };
        /** @description One stream in a list. */
        Stream: {
            stream: string;
            /**
             * Format: int64
             * @description How many events there ever were.
             */
            head: number;
            /**
             * Format: int64
             * @description How many of them are kept.
             */
            kept: number;
            /**
             * Format: int64
             * @description What it takes of TURNOUT_EVENTS_MAX_BYTES.
             */
            bytes: number;
            /** @description How many users may read it. */
            readers: components["schemas"]["ReaderCount"];
            ended: boolean;
        };
        /** @description A token for streams. */
        StreamToken: {
            /** @description Sent as `Authorization: Bearer` to open a stream; good for nothing else. */
            token: string;
            /** @example Bearer */
            tokenType: string;
            /** Format: int64 */
            expiresInMs: number;
            /**
             * Format: int64
             * @description When to ask for the next one.
             */
            refreshAfterMs: number;
        };
        /** @description Streams of a flag, by name. */
        Streams: {
            streams: components["schemas"]["Stream"][];
            /** @description Whether there are further ones: `after` is the last name here. */
            hasMore: boolean;
        };
        /** @description A client does something else than before. */
        Switch: {
            from: components["schemas"]["ClientMode"];
            to: components["schemas"]["ClientMode"];
            reason: components["schemas"]["SwitchReason"];
        };
        /**
         * @description Why a client does something else than before.
         * @enum {string}
         */
        SwitchReason: "strategy" | "tabs" | "unsupported" | "unknown-kind" | "unreachable";
        /** @description Who asks: at most 256 bytes of UTF-8, taken as given. Empty and null are as good as none. */
        TargetingKey: string | null;
        /** @description Where to hear that this document is another. */
        Watch: {
            kind: components["schemas"]["WatchKind"];
            /** @description Takes the same body with POST, or a session token with GET. */
            url: string;
            /** @description Where each event is acknowledged. */
            ackUrl: string;
        };
        /**
         * @description What happened, by its `type`; ignore those you do not know. `strategy` has a `document`,
         *     `strategies` has `documents`. `refetch`: the state is too large for an event; ask for it.
         *     `heartbeat`: by now you hold the document of this tag, or ask again. `goodbye`: come back after
         *     `afterMs`.
         */
        WatchEvent: {
            type: components["schemas"]["EventKind"];
            /** @description The tag of the state. */
            etag?: string;
            /** @description In the first event: the name of this stream. */
            ackId?: string;
            /**
             * Format: int64
             * @description In the first event: between two signs of life.
             */
            heartbeatMs?: number;
            document?: components["schemas"]["StrategyDocument"];
            documents?: components["schemas"]["StrategyDocuments"];
            reason?: components["schemas"]["CloseReason"];
            /**
             * Format: int64
             * @description Come back after this long.
             */
            afterMs?: number;
        };
        /**
         * @description The protocol of a stream of answers.
         * @enum {string}
         */
        WatchKind: "sse";
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
