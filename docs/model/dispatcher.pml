/* The dispatcher, the people, and what time does to all of it. */

/* ── the dispatcher: due.lapse, due.withdraw, and at a claim sparing.spare ── */
#define LAPSE(x) \
  :: d_step { state[x] == claimed && SEES_DUE(x) && leap != 2 && !NO_LAPSE -> \
       become(x, unknown); due[x] = UNKNOWN_GRACE; owner[x] = 0; printf("lapse batch=%d\n", x); SHOW }
#define WITHDRAW(x) \
  :: d_step { campaign == cancelled && state[x] == ready && leap != 2 && (!wrong_identity || ENDS_BEFORE_HANDLING) -> \
       end(PENDING_IN(x), cancelled); printf("withdraw batch=%d\n", x); SHOW }
#define SUPPRESS(x, m) \
  :: d_step { SUPPRESSING && message[m] == pending && (IN(x) & (1 << m)) && state[x] == ready && campaign == running && !wrong_identity && MAY_FAIL -> PAY; \
       end(1 << m, suppressed); printf("suppress batch=%d message=%d\n", x, m); SHOW }

/* plan.start and epochs.ask_first: after a handling, what is cut may have left in the history that was lost */
inline cut(suppressed_) {
  if
  :: drafts_asked && !DRAFTS_READY -> become(0, unknown); due[0] = drafts_due; age[0] = drafts_age;
     account[0] = (ACCOUNT_UNSET -> 0 : IN_USE)
  :: else -> become(0, ready); if :: MOVED_AT_START && renewed -> epoch[0] = 1; epoch[1] = 1 :: else fi
  fi;
  if :: suppressed_ && ((state[0] == ready && !wrong_identity) || SUPPRESSED_AT_CUT) -> end(1, suppressed) :: else fi
}

proctype Dispatcher() {
  do
  LAPSE(0) LAPSE(1) LAPSE(2)
  WITHDRAW(0) WITHDRAW(1) WITHDRAW(2)
  SUPPRESS(0, 0) SUPPRESS(0, 1) SUPPRESS(1, 0) SUPPRESS(2, 1)
  :: d_step { state[0] == none && campaign == running -> cut(0); printf("start suppressed=0\n"); SHOW }
  :: d_step { SUPPRESSING && state[0] == none && campaign == running && MAY_FAIL -> PAY; cut(1); printf("start suppressed=1\n"); SHOW }
  od
}

/* ── people ── */
/* epochs.renew and reissue: batches that provably never left, or whose ids collided, get new ids. A batch of which a
   part collided first gives way to its parts */
inline move(x_) {
  if
  :: (state[x_] == ready && age[x_] == 0) || (apart[x_] && state[x_] != split && state[x_] != none && ALL_IN(x_, uncertain)) ->
     if :: IN(x_) & 1 -> epoch[0] = 1; message[0] = (message[0] == uncertain -> pending : message[0]) :: else fi;
     if :: IN(x_) & 2 -> epoch[1] = 1; message[1] = (message[1] == uncertain -> pending : message[1]) :: else fi;
     if :: state[x_] == uncertain -> become(x_, ready) :: else fi;
     apart[x_] = 0
  :: else
  fi
}
inline carve(x_, m_) {
  become(x_, ready);
  if :: message[m_] == uncertain -> epoch[m_] = 1; message[m_] = pending :: else -> recount(x_) fi
}
#define MIXED (MESSAGES == 2 && apart[0] && state[0] != split && ONE_IN(0, uncertain) && !ALL_IN(0, uncertain))
inline renew() {
  renewed = 1;
  if
  :: MIXED ->
     become(0, split); due[0] = 0; owner[0] = 0; age[0] = 0; account[0] = 0; attempt[0] = 0; apart[0] = 0;
     carve(1, 0); carve(2, 1)
  :: else
  fi;
  move(0); move(1); move(2);
  if :: state[0] == none && !MOVED_AT_START && !drafts_asked -> epoch[0] = 1; epoch[1] = 1 :: else fi
}
proctype Person() {
  do
  :: d_step { campaign == paused -> campaign = running; printf("resume\n"); SHOW }
  :: d_step { PAUSING == 1 && campaign == running && state[0] != none && MAY_FAIL -> PAY; campaign = paused; printf("pause\n"); SHOW }
  :: d_step { CANCELLING && campaign != cancelled && state[0] != none && MAY_FAIL -> PAY; campaign = cancelled; printf("cancel\n"); SHOW }
  :: d_step { RENEW && !renewed && (!wrong_identity || RENEW_ANYWHERE) && (!kept || RENEW_LOST) -> renew(); printf("renew\n"); SHOW }
  :: d_step { KEYCHANGE && !key_changed -> key_changed = 1; printf("key_change\n"); SHOW }
  od
}

/* ── time: a tick takes one off every countdown. Nothing that must act by now may be left behind ── */
#define LESS(x) x = (x > 0 -> x - 1 : 0)
#define OLDER(x) x = (x > 0 && x <= WINDOW -> x + 1 : x)
#define COUNTING (due[0] + due[1] + due[2] + lease[0] + lease[1] + deadline[0] + deadline[1] + in_flight[0] + in_flight[1] + quiet + drafts_due > 0)
#define CALM(w) (at[w] == waiting || at[w] == idle)
#define WORK(x) ((state[x] == ready && due[x] == 0 && campaign == running) || (state[x] == unknown && due[x] == 0))
#define LAPSED(x) (state[x] == claimed && due[x] == 0)
#define WAITS_FOR_SOMEBODY (!CALM(0) || !CALM(1) || \
  ((at[0] == idle || at[1] == idle) && !wrong_identity && leap != 2 && (WORK(0) || WORK(1) || WORK(2))) || \
  (leap != 2 && (LAPSED(0) || LAPSED(1) || LAPSED(2))) || \
  (campaign == cancelled && !wrong_identity && leap != 2 && (state[0] == ready || state[1] == ready || state[2] == ready)) || \
  campaign == paused || (state[0] == none && campaign == running) || wrong_identity || leap == 1 || (leap == 2 && quiet == 0))
#define OVER(m) (message[m] != pending || (MESSAGES == 1 && m == 1))

#define MAY_STAND_STILL (STANDSTILLS > 0 -> standstills > 0 : MAY_FAIL)

proctype Clock() {
  do
  :: d_step { in_flight[0] != 1 && in_flight[1] != 1 && (!PROGRESS || (COUNTING && (MAY_STAND_STILL || !WAITS_FOR_SOMEBODY))) ->
       if
       :: PROGRESS && WAITS_FOR_SOMEBODY ->
          if :: STANDSTILLS > 0 -> standstills-- :: else -> PAY fi
       :: else
       fi;
       LESS(due[0]); LESS(due[1]); LESS(due[2]); LESS(lease[0]); LESS(lease[1]);
       if :: !TWO_CLOCKS -> LESS(deadline[0]); LESS(deadline[1]) :: else fi;
       LESS(in_flight[0]); LESS(in_flight[1]); LESS(remembers[0]); LESS(remembers[1]);
       OLDER(age[0]); OLDER(age[1]); OLDER(age[2]); OLDER(kept_age[0]); OLDER(kept_age[1]); OLDER(kept_age[2]);
       OLDER(kept_ago); OLDER(lost_age); OLDER(drafts_age);
       LESS(quiet); LESS(drafts_due); printf("tick\n"); SHOW }
  :: PROGRESS && timeout -> assert(OVER(0) && OVER(1)); break
  od
}
