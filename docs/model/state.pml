/* Everything that is remembered: by the database, by the gateway, by the workers. */

/* of batches and messages, as in campaigns/rules/states.py; `none`: there is no such batch yet */
mtype = { none, ready, claimed, unknown, split, closed, pending, accepted, refused, uncertain, cancelled, suppressed };
/* of the campaign; an account on hold is a paused campaign here */
mtype = { running, paused };
/* of a worker: where its call stands */
mtype = { idle, calling, connecting, looked, waiting, answered, asking, informed, cannot_ask };
/* how a send ended, or `question` where a call only asks */
mtype = { rows, lost, lost_and_pause, throttled, not_left, row_refused, sending_refused, question };

/* ── the database. Batch 0 holds both messages; 1 and 2 are its parts and hold one each ── */
mtype state[3] = none;
byte due[3];               /* ticks until due_at: the next look at it, or the end of the lease */
byte owner[3];             /* lease_owner: the worker whose present call holds the batch; 0: nobody, or a dead call */
byte age[3];               /* first_sent_at: 0 unset, else ticks since then + 1, and not counted beyond WINDOW */
byte account[3];           /* the account under which it left last */
byte attempt[3];           /* counted for OWNER_IS_PROCESS only */
bool apart[3];             /* set apart after a collision */
mtype message[2] = pending;
byte epoch[2];             /* of a message's id: 0, and 1 once `epoch renew` has moved it */
mtype campaign = running;
bool renewed;

/* ── the database as it was once, to which it may return ── */
bool kept;
mtype kept_state[3] = none;
byte kept_owner[3], kept_age[3], kept_account[3], kept_attempt[3];
bool kept_apart[3];
mtype kept_message[2] = pending;
byte kept_epoch[2];
mtype kept_campaign = running;
bool kept_renewed;
byte kept_ago;             /* ticks since then + 1, not counted beyond WINDOW */
byte returns;              /* how often it returned */
byte restarts;             /* how often its server restarted without a loss */
bool wrong_identity;       /* it returned or restarted, and nobody has dealt with that yet */
bool only_restarted;       /* the row of sms.identity differs in nothing but the server's start */
bool drafts_asked;         /* the handling has run: what is cut from now on is born unknown */
byte drafts_due;           /* ticks until that may be asked about */
byte drafts_age;           /* and its first_sent_at */
byte lost_age;             /* ticks since the last sign of life of a history that was lost + 1 */

/* ── the gateway. An id is 1 + epoch + 2 * account: the same message under another id is another one to it ── */
byte in_flight[2];         /* 0: no request with this message is under way; else ticks left to act on it + 1 */
byte flight_id[2];         /* the id it is under way by */
byte flight_of[2];         /* the worker who waits for the answer; 0: nobody any more */
byte accepted_as[2];       /* the id by which it was accepted; 0: it was not */
byte remembers[2];         /* ticks for which the gateway can be asked about it, where WINDOW is set */
byte taken;                /* messages whose first id another database has used, where COLLISION is set */

/* ── the workers, each with at most one call ── */
mtype at[2] = idle;
byte lease[2];             /* ticks until the lease ends, by the worker's clock */
byte deadline[2];          /* ticks until the deadline of a request that has not left, + 1 */
bool old_view[2];          /* its call carries on the time from before a leap that others believe by now */

/* ── the rest of the world ── */
bool key_changed;          /* workers may run under the second account */
byte leap;                 /* of the database's clock: 0 not yet, 1 unnoticed, 2 noticed and not believed, 3 believed */
byte quiet;                /* ticks until it is believed */
byte faults = BUDGET;
byte standstills = STANDSTILLS;

#define MAY_FAIL (BUDGET == 0 || faults > 0)
#define PAY faults = (BUDGET == 0 -> 0 : faults - 1)

/* ── the moves of campaigns/rules/states.py; tests/model holds this table against that file ── */
#define MAY_BECOME(from, to) ( \
  ((from) == none && ((to) == ready || (to) == unknown)) || \
  ((from) == ready && ((to) == claimed || (to) == cancelled || (to) == accepted || (to) == closed || (to) == unknown)) || \
  ((from) == claimed && ((to) == ready || (to) == unknown || (to) == accepted || (to) == closed || (to) == refused || (to) == split || (to) == uncertain)) || \
  ((from) == unknown && ((to) == ready || (to) == accepted || (to) == closed || (to) == uncertain || (to) == cancelled || (to) == refused)) || \
  ((from) == accepted && ((to) == closed || (to) == uncertain || (to) == split || (to) == ready)) || \
  ((from) == uncertain && ((to) == ready || (to) == accepted || (to) == closed || (to) == split)))

/* ── which messages: 1 is the first, 2 the second, 3 both ── */
#if MESSAGES == 2
#define ALL 3
#else
#define ALL 1
#endif
#define IN(b) ((b) == 0 -> ALL : (b))
#define PENDING ((message[0] == pending) + 2 * (message[1] == pending))
#define PENDING_IN(b) (PENDING & IN(b))
#define ONE_IN(b, as) ((((IN(b)) & 1) && message[0] == as) || (((IN(b)) & 2) && message[1] == as))
#define ALL_IN(b, as) ((!((IN(b)) & 1) || message[0] == as) && (!((IN(b)) & 2) || message[1] == as))

#define ID(e, a) (1 + (e) + 2 * (a))
/* the account that is in use where only one is */
#define IN_USE (KEYCHANGE == 2 -> 1 : 0)
#define MAY_USE(a) (a == 0 -> KEYCHANGE != 2 : key_changed)
#define EPOCH_OF(id) (((id) - 1) & 1)
/* all that is pending in a batch has ids of one epoch */
#define EPOCH_IN(b) (((IN(b)) & 1) && message[0] == pending -> epoch[0] : epoch[1])
#define ACCEPTED_AS(id) ((accepted_as[0] == (id)) + 2 * (accepted_as[1] == (id)))
#define KNOWN(m, id) (accepted_as[m] == (id) && (WINDOW == 0 || remembers[m] > 0))
#define WINDOW_OPEN(b) (WINDOW == 0 || age[b] - 1 < WINDOW - MARGIN)
#define SEES_DUE(b) (due[b] == 0 || (FRESH_PROCESS && leap == 1))

/* what a reader of a counterexample, and the replay of tests/model, sees after each step: of each batch its state,
   ticks until it is due, whose it is, account and age; then the messages, the campaign and the gates */
#define SHOW \
  printf("  = %e:%d:%d:%d:%d %e:%d:%d:%d:%d %e:%d:%d:%d:%d %e %e %e identity:%d leap:%d epochs:%d%d\n", \
    state[0], due[0], owner[0], account[0], age[0], state[1], due[1], owner[1], account[1], age[1], \
    state[2], due[2], owner[2], account[2], age[2], message[0], message[1], campaign, wrong_identity, leap, \
    epoch[0], epoch[1])

inline become(b_, to_) { assert(!TRUTH || MAY_BECOME(state[b_], to_)); state[b_] = to_ }

/* messages.recount: where nothing is pending any more, the state of the batch follows from its messages */
inline recount(b_) {
  if
  :: state[b_] != none && state[b_] != split && PENDING_IN(b_) == 0 ->
     if
     :: ONE_IN(b_, accepted) -> if :: state[b_] != accepted -> become(b_, accepted) :: else fi
     :: else -> if
        :: ONE_IN(b_, uncertain) -> if :: state[b_] != uncertain -> become(b_, uncertain) :: else fi
        :: else -> if
           :: ALL_IN(b_, refused) -> if :: state[b_] != refused -> become(b_, refused) :: else fi
           :: else -> if
              :: ALL_IN(b_, cancelled) -> if :: state[b_] != cancelled -> become(b_, cancelled) :: else fi
              :: else -> if :: state[b_] != closed -> become(b_, closed) :: else fi
              fi
           fi
        fi
     fi;
     due[b_] = 0; owner[b_] = 0; age[b_] = 0; account[b_] = 0; attempt[b_] = 0
  :: else
  fi
}
inline recount_all() { recount(0); recount(1); recount(2) }

/* what is recorded is true: what was not accepted may not be recorded so, and what was may not be recorded as unsent */
inline record_one(m_, to_) {
  if
  :: message[m_] == pending || (message[m_] == uncertain && to_ == accepted) ->
     assert(!TRUTH || to_ != accepted || accepted_as[m_] != 0);
     assert(!TRUTH || to_ == accepted || to_ == uncertain || (accepted_as[m_] == 0 && in_flight[m_] == 0));
     message[m_] = to_
  :: else
  fi
}
/* what we bring about by ourselves */
inline end(which_, to_) {
  if :: (which_) & 1 -> record_one(0, to_) :: else fi;
  if :: (which_) & 2 -> record_one(1, to_) :: else fi;
  recount_all()
}
/* batches.learn: facts, merged by whoever learns them. Ids that have moved are no longer found */
inline record(which_, to_, id_) {
  if :: ((which_) & 1) && EPOCH_OF(id_) == epoch[0] -> record_one(0, to_) :: else fi;
  if :: ((which_) & 2) && EPOCH_OF(id_) == epoch[1] -> record_one(1, to_) :: else fi;
  recount_all()
}
