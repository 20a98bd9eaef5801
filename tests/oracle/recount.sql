-- The recount in SQL. In: `sent`, one row a validated event as it came, the further fields of all records side by side,
-- `content` and `details` as canonical JSON; and `sources`, with the instant at which each ended. Out: `cells` and `fates`.

CREATE OR REPLACE MACRO quarter_of(instant) AS
    strftime((epoch_ms(instant) AT TIME ZONE 'UTC') AT TIME ZONE 'Europe/London', '%Y')
    || 'Q' || quarter((epoch_ms(instant) AT TIME ZONE 'UTC') AT TIME ZONE 'Europe/London');

-- Rule 1. Equal copies fall together; of the differing ones the smallest (reported_at, content) stands.
CREATE OR REPLACE TEMP TABLE contents AS
SELECT
    *,
    count(*) OVER (PARTITION BY source_id, fuel, meter_point_id, event_id, content) AS copies
FROM sent
QUALIFY row_number() OVER (PARTITION BY source_id, fuel, meter_point_id, event_id, content) = 1;

CREATE OR REPLACE TEMP TABLE ranked AS
SELECT
    *,
    row_number() OVER (
        PARTITION BY source_id, fuel, meter_point_id, event_id ORDER BY reported_at, content
    ) AS copy_rank
FROM contents;

CREATE OR REPLACE TEMP TABLE copies AS SELECT * EXCLUDE (content) FROM ranked WHERE copy_rank = 1;

-- Rule 2. A source speaks for itself from the beginning, and for one whose book it took over from then on.
CREATE OR REPLACE TEMP TABLE speakers AS
WITH RECURSIVE passed AS (
    SELECT source_id AS owner, source_id AS speaker, -9000000000000000000::BIGINT AS since FROM sources
    UNION ALL
    SELECT p.owner, s.successor, greatest(p.since, s.ended_at)
    FROM passed AS p JOIN sources AS s ON s.source_id = p.speaker WHERE s.successor IS NOT NULL
)
SELECT * FROM passed;

CREATE OR REPLACE TEMP TABLE targets AS
SELECT c.source_id, c.fuel, c.meter_point_id, c.event_id, t.source_id AS target_source, t.record AS target_record
FROM copies AS c
JOIN copies AS t ON t.fuel = c.fuel AND t.meter_point_id = c.meter_point_id AND t.event_id = c.corrects
JOIN speakers AS s ON s.owner = t.source_id AND s.speaker = c.source_id AND s.since <= c.reported_at
WHERE c.action <> 'NEW'
QUALIFY row_number() OVER (
    PARTITION BY c.source_id, c.fuel, c.meter_point_id, c.event_id ORDER BY t.source_id <> c.source_id, t.source_id
) = 1;

-- Each correction is judged once; then every NEW event gathers what can be reached from it.
CREATE OR REPLACE TEMP TABLE judged AS
SELECT
    c.source_id, c.fuel, c.meter_point_id, c.event_id, c.corrects, c.record, own.target_source,
    CASE
        WHEN own.target_record = c.record THEN 'SOUND'
        WHEN own.target_record IS NOT NULL THEN 'CORRECTION_TYPE_MISMATCH'
        WHEN held.event_id IS NOT NULL THEN 'CORRECTION_NOT_OWNER'
        ELSE 'MISSING'
    END AS verdict
FROM copies AS c
LEFT JOIN targets AS own
    ON own.source_id = c.source_id AND own.fuel = c.fuel AND own.meter_point_id = c.meter_point_id
    AND own.event_id = c.event_id
LEFT JOIN (SELECT DISTINCT fuel, meter_point_id, event_id FROM copies) AS held
    ON held.fuel = c.fuel AND held.meter_point_id = c.meter_point_id AND held.event_id = c.corrects
WHERE c.action <> 'NEW';

CREATE OR REPLACE TEMP TABLE families AS
WITH RECURSIVE family AS (
    SELECT source_id AS owner, source_id, fuel, meter_point_id, event_id AS root, event_id
    FROM copies WHERE action = 'NEW'
    UNION ALL
    SELECT f.owner, j.source_id, f.fuel, f.meter_point_id, f.root, j.event_id
    FROM family AS f
    JOIN judged AS j
        ON j.target_source = f.source_id AND j.fuel = f.fuel AND j.meter_point_id = f.meter_point_id
        AND j.corrects = f.event_id AND j.verdict = 'SOUND'
)
SELECT * FROM family;

CREATE OR REPLACE TEMP TABLE contenders AS
SELECT
    c.*, f.owner,
    row_number() OVER (
        PARTITION BY f.owner, f.fuel, f.meter_point_id, f.root
        ORDER BY c.action = 'NEW', c.reported_at DESC, c.event_id DESC, c.source_id DESC
    ) AS standing_place
FROM families AS f
JOIN copies AS c USING (source_id, fuel, meter_point_id, event_id);

-- What an heir amended is still its predecessor's event.
CREATE OR REPLACE TEMP TABLE standing AS
SELECT * EXCLUDE (owner) REPLACE (owner AS source_id) FROM contenders WHERE standing_place = 1 AND action <> 'VOID';

-- Rule 7. What became of every event.
CREATE OR REPLACE TEMP TABLE fates AS
SELECT source_id, record, status, reason, sum(n)::BIGINT AS records FROM (
    SELECT source_id, record, 'duplicate' AS status, '' AS reason, copies - 1 AS n FROM ranked
    UNION ALL SELECT source_id, record, 'rejected', 'EVENT_ID_REUSED', 1 FROM ranked WHERE copy_rank > 1
    UNION ALL SELECT source_id, record, 'rejected', verdict, 1 FROM judged WHERE verdict LIKE 'CORRECTION%'
    UNION ALL
    SELECT source_id, record, 'pending', '', 1
    FROM judged ANTI JOIN families USING (source_id, fuel, meter_point_id, event_id)
    WHERE verdict NOT LIKE 'CORRECTION%'
    UNION ALL SELECT source_id, record, if(standing_place = 1, 'accepted', 'superseded'), '', 1 FROM contenders
) GROUP BY ALL HAVING sum(n) > 0;

-- Rule 3. The order of what can move a meter or an inferred mode.
CREATE OR REPLACE TEMP TABLE ordered AS
SELECT
    *,
    row_number() OVER (
        PARTITION BY fuel, meter_point_id
        ORDER BY
            effective_at,
            CASE record
                WHEN 'MeterRemoved' THEN '1'
                WHEN 'SupplyGained' THEN '2'
                WHEN 'MeterInstalled' THEN '3'
                WHEN 'OperatingModeChanged' THEN '4'
                WHEN 'PaymentModeChanged' THEN '5'
                ELSE record
            END,
            reported_at, event_id, source_id
    ) AS n
FROM standing
WHERE record IN (
    'MeterRemoved', 'SupplyGained', 'MeterInstalled', 'OperatingModeChanged', 'PaymentModeChanged',
    'CommissioningCompleted', 'CredentialsChanged', 'DeviceStatusChanged', 'HubConnectivityChanged', 'Smets1Migrated'
);

-- Rule 4. The walk: row n is the meter point after its n-th event, row 0 before any.
CREATE OR REPLACE TEMP TABLE walk AS
WITH RECURSIVE walk AS (
    SELECT
        fuel, meter_point_id, 0::BIGINT AS n, '' AS verdict, NULL::VARCHAR AS supplier, NULL::VARCHAR AS region,
        NULL::VARCHAR AS authority, NULL::VARCHAR AS place, NULL::VARCHAR AS kind, NULL::VARCHAR AS mode,
        NULL::VARCHAR AS payment, NULL::VARCHAR AS installation, NULL::VARCHAR AS base, false AS awaiting,
        NULL::BIGINT AS silent_since
    FROM (SELECT DISTINCT fuel, meter_point_id FROM ordered)
    UNION ALL
    SELECT
        fuel, meter_point_id, n, verdict,
        CASE WHEN installs OR gains THEN source_id WHEN NOT removes THEN supplier END,
        CASE WHEN installs THEN region_code WHEN NOT removes THEN region END,
        CASE WHEN installs THEN if(regexp_full_match(local_authority_code, '[EWS][0-9]{8}'), local_authority_code, '') WHEN NOT removes THEN authority END,
        CASE WHEN installs THEN sector WHEN NOT removes THEN place END,
        CASE WHEN installs THEN meter_type WHEN NOT removes THEN kind END,
        CASE
            WHEN installs THEN operating_mode
            WHEN gains AND kind LIKE 'SMETS_' AND operating_mode <> 'NOT_APPLICABLE' THEN operating_mode
            WHEN record = 'OperatingModeChanged' AND verdict = '' THEN operating_mode
            WHEN NOT removes THEN mode
        END,
        CASE
            WHEN installs OR (record = 'PaymentModeChanged' AND verdict = '') THEN payment_mode
            WHEN NOT removes THEN payment
        END,
        CASE WHEN installs THEN said WHEN NOT removes THEN installation END,
        CASE
            WHEN installs THEN 'TRADITIONAL'
            WHEN record IN ('CommissioningCompleted', 'Smets1Migrated') AND result = 'SUCCESS' THEN 'SMART'
            WHEN status IN ('Suspended', 'Decommissioned', 'Withdrawn') THEN 'TRADITIONAL'
            ELSE base
        END,
        CASE
            WHEN installs THEN false
            WHEN gains THEN true
            WHEN record = 'CredentialsChanged' AND result = 'SUCCESS' AND to_source_id = supplier THEN false
            ELSE awaiting
        END,
        CASE
            WHEN installs OR connected THEN NULL
            WHEN NOT connected THEN coalesce(silent_since, effective_at)
            ELSE silent_since
        END
    FROM (
        SELECT
            *,
            record = 'MeterInstalled' AND verdict = '' AS installs,
            record = 'SupplyGained' AND verdict = '' AS gains,
            record = 'MeterRemoved' AND verdict = '' AS removes
        FROM (
            SELECT
                o.*, w.* EXCLUDE (fuel, meter_point_id, n, verdict),
                concat(o.source_id, o.effective_at, o.details) AS said,
                CASE
                    WHEN o.record = 'MeterInstalled' THEN
                        CASE
                            WHEN w.supplier IS NULL THEN ''
                            WHEN w.installation = concat(o.source_id, o.effective_at, o.details) THEN 'SAME_INSTALLATION'
                            WHEN o.install_reason = 'OPENING_POSITION' THEN 'ALREADY_PRESENT'
                            ELSE ''
                        END
                    WHEN o.record = 'SupplyGained' THEN
                        CASE
                            WHEN w.supplier IS NULL THEN if(o.reason = 'NEW', 'NO_METER_YET', 'NO_METER')
                            WHEN w.supplier = o.source_id THEN 'ALREADY_SUPPLIER'
                            ELSE ''
                        END
                    WHEN o.record IN ('MeterRemoved', 'OperatingModeChanged', 'PaymentModeChanged') THEN
                        CASE
                            WHEN w.supplier IS NULL THEN 'NO_METER'
                            WHEN w.supplier <> o.source_id THEN 'NOT_CURRENT_SUPPLIER'
                            WHEN o.record = 'OperatingModeChanged' AND w.kind NOT LIKE 'SMETS_'
                                THEN 'MODE_NOT_APPLICABLE'
                            ELSE ''
                        END
                    ELSE ''
                END AS verdict
            FROM walk AS w
            JOIN ordered AS o ON o.fuel = w.fuel AND o.meter_point_id = w.meter_point_id AND o.n = w.n + 1
        )
    )
)
SELECT * FROM walk;

CREATE OR REPLACE TEMP TABLE steps AS
SELECT
    o.*, quarter_of(o.effective_at) AS q, a.verdict,
    {'s': b.supplier, 'r': b.region, 'f': o.fuel, 'p': b.place, 'k': b.kind, 'm': b.mode, 'y': b.payment} AS state_before,
    {'s': a.supplier, 'r': a.region, 'f': o.fuel, 'p': a.place, 'k': a.kind, 'm': a.mode, 'y': a.payment} AS state_after
FROM ordered AS o
JOIN walk AS a ON a.fuel = o.fuel AND a.meter_point_id = o.meter_point_id AND a.n = o.n
JOIN walk AS b ON b.fuel = o.fuel AND b.meter_point_id = o.meter_point_id AND b.n = o.n - 1;

-- Rule 5. The state at each quarter's end, the inferred mode's own instant (31 x 24 h of silence) among the rest.
CREATE OR REPLACE TEMP TABLE states AS
WITH spells AS (
    SELECT
        w.*, o.effective_at AS begins, w.silent_since + 2678400000 AS due,
        lead(o.effective_at) OVER (PARTITION BY w.fuel, w.meter_point_id ORDER BY w.n) AS ends
    FROM walk AS w
    JOIN ordered AS o ON o.fuel = w.fuel AND o.meter_point_id = w.meter_point_id AND o.n = w.n
),
points AS (
    SELECT *, begins AS instant, 0 AS late FROM spells
    UNION ALL
    SELECT *, due AS instant, 1 AS late FROM spells WHERE due > begins AND (ends IS NULL OR due < ends)
),
inferences AS (
    SELECT
        *, quarter_of(instant) AS q,
        if(awaiting OR (due IS NOT NULL AND due <= instant), 'TRADITIONAL', base) AS inferred
    FROM points
)
SELECT * FROM inferences
QUALIFY row_number() OVER (PARTITION BY fuel, meter_point_id, q ORDER BY n DESC, late DESC) = 1;

CREATE OR REPLACE TEMP TABLE places AS
SELECT
    'meters' AS measure, fuel AS f, meter_point_id, q,
    if(supplier IS NULL, NULL, ROW(supplier, region, fuel, place, kind, mode, payment, '')) AS cell
FROM states
UNION ALL
SELECT
    'meters_local', fuel, meter_point_id, q,
    if(supplier IS NULL, NULL, ROW('', authority, fuel, place, kind, mode, '', ''))
FROM states
UNION ALL
SELECT
    'mode_disagreements', fuel, meter_point_id, q,
    if(supplier IS NULL OR kind NOT LIKE 'SMETS_' OR inferred = mode, NULL,
       ROW(supplier, region, fuel, place, kind, mode, payment, inferred))
FROM states;

CREATE OR REPLACE TEMP TABLE stock_changes AS
WITH changes AS (
    SELECT *, lag(cell) OVER (PARTITION BY measure, f, meter_point_id ORDER BY q) AS former FROM places
)
SELECT measure, q, unnest([former, cell]) AS cell, unnest([-1, 1]) AS value
FROM changes
WHERE cell IS DISTINCT FROM former;

-- Rule 6. The cells.
CREATE OR REPLACE TEMP TABLE declared AS
SELECT * FROM standing
WHERE record = 'PortfolioDeclared'
QUALIFY row_number() OVER (
    PARTITION BY source_id, quarter, region_code, fuel, sector, meter_type, operating_mode
    ORDER BY reported_at DESC, event_id DESC
) = 1;

CREATE OR REPLACE TEMP TABLE counted AS
WITH delays AS (
    SELECT *, (reported_at - effective_at) // 86400000 AS days FROM standing
    WHERE record IN (
        'MeterInstalled', 'MeterRemoved', 'OperatingModeChanged', 'SupplyGained', 'SupplyLost', 'PaymentModeChanged',
        'InstallationVisit', 'FaultCase'
    )
),
moves AS (
    SELECT 'installations' AS measure, q, state_after AS dims, install_reason AS detail FROM steps
    WHERE record = 'MeterInstalled' AND verdict = '' AND install_reason <> 'OPENING_POSITION'
    UNION ALL
    SELECT 'displays', q, state_after, in_home_display FROM steps
    WHERE record = 'MeterInstalled' AND verdict = '' AND install_reason <> 'OPENING_POSITION'
        AND meter_type IN ('SMETS1', 'SMETS2') AND sector = 'DOMESTIC'
    UNION ALL
    SELECT 'removals', q, state_before, coalesce(reason, 'EXCHANGED') FROM steps
    WHERE record IN ('MeterRemoved', 'MeterInstalled') AND verdict = '' AND state_before.s IS NOT NULL
    UNION ALL
    SELECT 'takeovers', q, state_after, install_reason FROM steps
    WHERE record = 'MeterInstalled' AND verdict = '' AND state_before.s <> source_id
    UNION ALL
    SELECT 'mode_losses', q, state_after, coalesce(cause, 'CHURN') FROM steps
    WHERE record IN ('OperatingModeChanged', 'SupplyGained') AND state_before.m = 'SMART' AND state_after.m = 'TRADITIONAL'
    UNION ALL
    SELECT 'mode_recoveries', q, state_after, coalesce(cause, 'CHURN') FROM steps
    WHERE record IN ('OperatingModeChanged', 'SupplyGained') AND state_before.m = 'TRADITIONAL' AND state_after.m = 'SMART'
    UNION ALL
    SELECT 'switches', q, state_after, reason FROM steps WHERE record = 'SupplyGained' AND verdict = ''
),
by_fuel AS (
    SELECT 'inconsistent' AS measure, q, source_id, fuel, verdict AS detail FROM steps WHERE verdict <> ''
    UNION ALL
    SELECT 'visits', quarter_of(effective_at), source_id, fuel, outcome FROM standing
    WHERE record = 'InstallationVisit'
    UNION ALL
    SELECT
        'visits_supported', quarter_of(effective_at), source_id, fuel,
        CASE
            WHEN energy_advice_given AND display_demonstrated THEN 'ADVICE_AND_DEMONSTRATION'
            WHEN energy_advice_given THEN 'ADVICE'
            WHEN display_demonstrated THEN 'DEMONSTRATION'
            ELSE 'NONE'
        END
    FROM standing WHERE record = 'InstallationVisit' AND vulnerable_customer
    UNION ALL
    SELECT
        'reporting_delay', quarter_of(effective_at), source_id, fuel,
        CASE
            WHEN days < 1 THEN 'D0' WHEN days < 8 THEN 'D1-7' WHEN days < 29 THEN 'D8-28' WHEN days < 92 THEN 'D29-91'
            ELSE 'D92+'
        END
    FROM delays
)
SELECT measure, q, dims.s, dims.r, dims.f, dims.p, dims.k, dims.m, dims.y, detail, 1::BIGINT AS value FROM moves
UNION ALL
SELECT measure, q, source_id, '', fuel, '', '', '', '', detail, 1 FROM by_fuel
UNION ALL
SELECT measure, q, cell[1], cell[2], cell[3], cell[4], cell[5], cell[6], cell[7], cell[8], value FROM stock_changes
WHERE cell IS NOT NULL
UNION ALL
SELECT
    'declared_meters', quarter, source_id, region_code, fuel, sector, meter_type, operating_mode, '', '', meters
FROM declared
UNION ALL
SELECT 'declarations', quarter, source_id, region_code, fuel, sector, meter_type, operating_mode, '', '', 1 FROM declared;

CREATE OR REPLACE TEMP TABLE cells AS
SELECT * EXCLUDE (value), sum(value)::BIGINT AS value FROM counted GROUP BY ALL HAVING sum(value) <> 0;
