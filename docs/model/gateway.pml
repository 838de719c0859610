/* The gateway: acts on what is under way, message by message, whatever it answers to whoever waits. */

/* an id that another database has used: a gateway that dedupes shows that database's message, and sends nothing */
#define HELD_BACK(m) (DEDUPE && COLLISION && (taken & (1 << m)) && EPOCH_OF(flight_id[m]) == 0)
#define ACCEPT(m) \
  :: d_step { in_flight[m] > 0 -> \
       if \
       :: HELD_BACK(m) -> skip \
       :: else -> accepted_as[m] = flight_id[m]; remembers[m] = WINDOW; \
          assert(!TRUTH || (message[m] != cancelled && message[m] != refused && message[m] != suppressed)) \
       fi; \
       in_flight[m] = 0; flight_id[m] = 0; flight_of[m] = 0; printf("act message=%d\n", m); SHOW }
#define DROP(m) \
  :: d_step { in_flight[m] > 0 && MAY_FAIL -> PAY; \
       in_flight[m] = 0; flight_id[m] = 0; flight_of[m] = 0; printf("drop message=%d\n", m); SHOW }

proctype Gateway() {
  do
  ACCEPT(0) ACCEPT(1) DROP(0) DROP(1)
  od
}
