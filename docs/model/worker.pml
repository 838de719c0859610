/* A worker: claims a batch, sends it or asks about it, and writes down what came of it. Between any two steps it may
   stand still for as long as it likes, or die. campaigns/stages/submit/{send,resolve,refusal}.py, campaigns/store/batches.py. */

/* the fence of every decision: the call's own id is still the lease's owner */
#define FENCE (OWNER_IS_PROCESS -> owner[b] == 3 && attempt[b] == my_attempt : owner[b] == w + 1)
#define HOLDS ((FENCE || NO_FENCE) && (state[b] == claimed || state[b] == unknown))
/* what ends messages for good should also need a database whose identity is right */
#define MAY_END (!wrong_identity || ENDS_BEFORE_HANDLING)
/* two idle workers are alike: the first goes first */
#define MAY_CLAIM(x) (at[w] == idle && (w == 0 || at[0] != idle) && leap != 2 && attempt[x] < 3)

#define CLAIM_TO_SEND(x, a) \
  :: d_step { MAY_CLAIM(x) && campaign == running && !wrong_identity && state[x] == ready && SEES_DUE(x) && MAY_USE(a) -> \
       b = x; become(x, claimed); account[x] = a; age[x] = (age[x] == 0 -> 1 : age[x]); take(); lease[w] = LEASE; \
       at[w] = calling; printf("claim_to_send worker=%d batch=%d account=%d\n", w, x, a); SHOW }
/* who left under another account can be asked about only there; once nobody can be asked, anybody may say so */
#define CLAIM_TO_ASK(x, a) \
  :: d_step { MAY_CLAIM(x) && state[x] == unknown && SEES_DUE(x) && MAY_USE(a) && (account[x] == a || ANY_ACCOUNT || !WINDOW_OPEN(x)) -> \
       b = x; take(); answer = question; cancelled_then = (campaign == cancelled); in_window = WINDOW_OPEN(x); \
       id = ID(EPOCH_IN(x), a); at[w] = (account[x] == a || ANY_ACCOUNT -> asking : informed); \
       printf("claim_to_ask worker=%d batch=%d account=%d\n", w, x, a); SHOW }

inline take() {
  due[b] = LEASE; owner[b] = (OWNER_IS_PROCESS -> 3 : w + 1); asked = PENDING_IN(b); id = ID(EPOCH_IN(b), account[b]);
  attempt[b] = (OWNER_IS_PROCESS -> attempt[b] + 1 : 0); my_attempt = attempt[b]
}
/* the call is over: nobody will ever come back with its id */
inline finish() {
  if :: owner[0] == w + 1 -> owner[0] = 0 :: else fi; if :: kept_owner[0] == w + 1 -> kept_owner[0] = 0 :: else fi;
  if :: owner[1] == w + 1 -> owner[1] = 0 :: else fi; if :: kept_owner[1] == w + 1 -> kept_owner[1] = 0 :: else fi;
  if :: owner[2] == w + 1 -> owner[2] = 0 :: else fi; if :: kept_owner[2] == w + 1 -> kept_owner[2] = 0 :: else fi;
  leave_alone(); at[w] = idle; lease[w] = 0; deadline[w] = 0; old_view[w] = 0;
  b = 0; asked = 0; found = 0; unseen = 0; foreign = 0; id = 0; answer = 0; cancelled_then = 0; in_window = 0; my_attempt = 0
}
/* nobody waits for the answer any more; the request goes on without us */
inline leave_alone() {
  if :: flight_of[0] == w + 1 -> flight_of[0] = 0 :: else fi;
  if :: flight_of[1] == w + 1 -> flight_of[1] = 0 :: else fi
}
/* who writes a due time by the clock from before the leap, writes one that is over by the new clock */
#define IN_TICKS(n) (leap == 3 && old_view[w] -> 0 : (n))

/* batches.release, doubt, send_again: one fenced UPDATE */
inline decide(to_, wait_) {
  if
  :: HOLDS && PENDING_IN(b) != 0 ->
     if :: state[b] != to_ -> become(b, to_) :: else fi;
     due[b] = IN_TICKS(wait_); owner[b] = 0;
     if :: to_ == ready -> age[b] = 0 :: else fi
  :: else
  fi
}
inline pause() { if :: PAUSING && campaign == running -> campaign = paused :: else fi }
/* halving.halve */
inline halve() {
  become(0, split); due[0] = 0; owner[0] = 0; age[0] = 0; account[0] = 0; attempt[0] = 0;
  become(1, ready); become(2, ready); recount(1); recount(2)
}
/* learning.collided: what is ours counts; the rest waits for `epoch renew` */
inline collide(facts_) {
  record(facts_, accepted, id); record(asked & ~(facts_), uncertain, id); apart[b] = 1; pause()
}

/* the write: from here on nobody knows. A second request with a message that is under way, or was accepted, is what
   must never happen: the gateway may act on both */
inline leave(m_) {
  if
  :: asked & (1 << m_) ->
     if
     :: DEDUPE && (in_flight[m_] == 0 || flight_id[m_] == id) && (accepted_as[m_] == 0 || KNOWN(m_, id)) -> skip
     :: else -> assert(in_flight[m_] == 0 && accepted_as[m_] == 0)      /* sent twice */
     fi;
     if :: accepted_as[m_] == 0 -> in_flight[m_] = LATEST_ACT + 1; flight_id[m_] = id; flight_of[m_] = w + 1 :: else fi
  :: else
  fi
}
/* the gateway has answered, and is through with the request */
inline through() {
  if :: flight_of[0] == w + 1 -> flight_of[0] = 0; in_flight[0] = (ANSWERS_EARLY -> in_flight[0] : 0) :: else fi;
  if :: flight_of[1] == w + 1 -> flight_of[1] = 0; in_flight[1] = (ANSWERS_EARLY -> in_flight[1] : 0) :: else fi;
  flight_id[0] = (in_flight[0] == 0 -> 0 : flight_id[0]); flight_id[1] = (in_flight[1] == 0 -> 0 : flight_id[1])
}
#define UNDER_WAY ((flight_of[0] == w + 1) + 2 * (flight_of[1] == w + 1))
#define GOT (asked & ACCEPTED_AS(id))
/* asked for ids that another database has used, a gateway that dedupes shows that database's messages */
#define ANOTHERS (COLLISION && EPOCH_OF(id) == 0 -> asked & taken : 0)
#define ANOTHERS_ROWS (DEDUPE -> ANOTHERS & ~GOT & ~UNDER_WAY : 0)
#define ANSWER(x) answer = x; through(); at[w] = answered

/* a question. Where two messages stand under one id, the gateway shows either */
inline answer_about(m_) {
  if
  :: (asked & (1 << m_)) && !((found | unseen | foreign) & (1 << m_)) ->
     if
     :: KNOWN(m_, id) -> found = found | (1 << m_)
     :: ANOTHERS & (1 << m_) -> foreign = foreign | (1 << m_)
     :: !KNOWN(m_, id) && !(ANOTHERS & (1 << m_)) -> unseen = unseen | (1 << m_)
     fi
  :: else
  fi
}
#define HEARD (found | unseen | foreign)
#define REST (asked & ~found)

/* refusal.unconfirmed, resolve._ask_later: asked about again as soon as the gateway answers questions */
inline unconfirmed() {
  if :: answer == sending_refused && HOLDS -> pause() :: else fi;
  decide(unknown, 0)
}

proctype Worker(byte w) {
  mtype answer;
  byte b, asked, found, unseen, foreign, id, my_attempt;
  bool cancelled_then, in_window;

  do
  CLAIM_TO_SEND(0, 0) CLAIM_TO_SEND(1, 0) CLAIM_TO_SEND(2, 0) CLAIM_TO_SEND(0, 1) CLAIM_TO_SEND(1, 1) CLAIM_TO_SEND(2, 1)
  CLAIM_TO_ASK(0, 0) CLAIM_TO_ASK(1, 0) CLAIM_TO_ASK(2, 0) CLAIM_TO_ASK(0, 1) CLAIM_TO_ASK(1, 1) CLAIM_TO_ASK(2, 1)

  /* ── a send ── */
  /* in_time, as the call begins: does a whole deadline fit into what is left of the lease? */
  :: d_step { at[w] == calling ->
       if :: lease[w] >= HTTP_DEADLINE || NO_IN_TIME -> deadline[w] = HTTP_DEADLINE + 1; at[w] = connecting
          :: else -> answer = not_left; at[w] = answered fi;
       printf("begin worker=%d in_time=%d\n", w, at[w] == connecting); SHOW }
  /* connected: in_time is asked again. The bytes leave at once, or never */
  :: d_step { at[w] == connecting && deadline[w] > 0 ->
       if :: lease[w] >= HTTP_DEADLINE || LOOKS_ONCE || NO_IN_TIME -> at[w] = looked
          :: else -> answer = not_left; deadline[w] = 0; at[w] = answered fi;
       if :: at[w] == looked && !FREEZE -> leave(0); leave(1); lease[w] = 0; deadline[w] = 0; at[w] = waiting :: else fi;
       printf("connected worker=%d in_time=%d\n", w, at[w] != answered); SHOW }
  /* no connection: nothing left us. Tried again inside the call, or put off */
  :: d_step { at[w] == connecting && (deadline[w] == 0 || MAY_FAIL) ->
       if :: deadline[w] > 0 -> PAY :: else fi; deadline[w] = 0; at[w] = calling;
       printf("try_again worker=%d\n", w); SHOW }
  :: d_step { at[w] == connecting && (deadline[w] == 0 || MAY_FAIL) ->
       if :: deadline[w] > 0 -> PAY :: else fi; deadline[w] = 0; answer = not_left; at[w] = answered;
       printf("no_connection worker=%d\n", w); SHOW }
  :: d_step { FREEZE && at[w] == looked ->
       leave(0); leave(1); lease[w] = 0; deadline[w] = 0; at[w] = waiting; printf("write worker=%d\n", w); SHOW }

  /* the gateway answers: with every row, with some, with none; or no usable answer comes. Whatever it says, it may
     have accepted all, a part or nothing: that happens in gateway.pml */
  :: d_step { at[w] == waiting && (GOT | ANOTHERS_ROWS) == asked ->
       found = GOT; foreign = ANOTHERS_ROWS; ANSWER(rows);
       printf("answer_rows worker=%d rows=%d foreign=%d\n", w, found, foreign); SHOW }
  :: atomic { at[w] == waiting && GOT != 0 && MAY_FAIL -> PAY;
       if :: GOT & 1 -> found = 1 :: GOT & 2 -> found = 2 :: GOT != asked -> found = GOT fi;
       foreign = 0; leave_alone(); answer = rows; at[w] = answered;
       printf("answer_rows worker=%d rows=%d foreign=%d\n", w, found, foreign); SHOW }
  :: d_step { at[w] == waiting && UNDER_WAY == 0 && (GOT | ANOTHERS_ROWS) != asked ->
       answer = lost; at[w] = answered; printf("answer_lost worker=%d\n", w); SHOW }
  :: atomic { at[w] == waiting && MAY_FAIL -> PAY;
       if
       :: answer = lost; leave_alone(); at[w] = answered; printf("answer_lost worker=%d\n", w)
       :: PAUSING -> answer = lost_and_pause; leave_alone(); at[w] = answered; printf("answer_undocumented worker=%d\n", w)
       :: ANSWER(throttled); printf("answer_throttled worker=%d\n", w)
       :: ANSWER(row_refused); printf("answer_row_refused worker=%d\n", w)
       :: ANSWER(sending_refused); printf("answer_sending_refused worker=%d\n", w)
       fi;
       SHOW }
  /* mutants: a refusal or a failure is taken for the whole truth */
  :: d_step { NOT_DONE_402 && at[w] == waiting -> ANSWER(not_left); printf("answer_402 worker=%d\n", w); SHOW }
  :: d_step { RETRY_409 && at[w] == waiting -> through(); at[w] = calling; lease[w] = LEASE; printf("answer_409 worker=%d\n", w); SHOW }
  :: d_step { UNDOCUMENTED_IS_NO && at[w] == waiting ->
       ANSWER(sending_refused); unseen = asked; at[w] = informed; in_window = 1; printf("answer_undocumented worker=%d\n", w); SHOW }

  /* ── the result of a send ── */
  :: d_step { at[w] == answered && answer == rows ->
       if
       :: (found | foreign) != asked -> record(found, accepted, id); decide(unknown, UNKNOWN_GRACE)
       :: else -> if
          :: foreign == 0 -> record(found, accepted, id)
          :: else -> if :: COLLISION_UNFENCED || HOLDS -> collide(found) :: else -> record(found, accepted, id) fi
          fi
       fi;
       printf("write_rows worker=%d\n", w); finish(); SHOW }
  :: d_step { at[w] == answered && (answer == lost || answer == lost_and_pause) ->
       decide(unknown, UNKNOWN_GRACE); if :: answer == lost_and_pause -> pause() :: else fi;
       printf("write_lost worker=%d\n", w); finish(); SHOW }
  :: d_step { at[w] == answered && answer == throttled ->
       decide(unknown, 0); printf("write_throttled worker=%d\n", w); finish(); SHOW }
  :: d_step { at[w] == answered && answer == not_left ->
       decide(ready, 0); printf("write_not_left worker=%d\n", w); finish(); SHOW }
  /* refused: before anything is decided, the same claim asks by localid */
  :: d_step { at[w] == answered && (answer == row_refused || answer == sending_refused) ->
       if :: REFUSED_IS_NO -> unseen = asked; in_window = 1; at[w] = informed :: else -> at[w] = asking fi;
       printf("ask_after_refusal worker=%d\n", w); SHOW }

  /* ── a question: the truth of this moment, of every id, or of a part only, or of none ── */
  :: atomic { at[w] == asking ->
       if :: answer_about(0); answer_about(1); at[w] = informed
          :: MAY_FAIL && (asked & 1 & ~HEARD) && (asked & ~HEARD) != 1 -> PAY; answer_about(0)
          :: MAY_FAIL && (asked & 2 & ~HEARD) && (asked & ~HEARD) != 2 -> PAY; answer_about(1)
          :: MAY_FAIL && HEARD == 0 -> PAY; at[w] = cannot_ask
          :: MAY_FAIL && HEARD != 0 -> PAY; at[w] = informed fi;
       printf("ask worker=%d found=%d unseen=%d foreign=%d over=%d\n", w, found, unseen, foreign, at[w] != asking); SHOW }

  /* ── what a question's answer means: known → accepted, whoever asks; the rest only if the claim still holds. How old
     the request is, is judged now, with the answer in hand ── */
  :: d_step { at[w] == informed && answer == question ->
       if :: !WINDOW_AT_CLAIM -> in_window = WINDOW_OPEN(b) :: else fi;
       if :: !(COLLISION_FORGETS && foreign) -> record(found, accepted, id) :: else fi;
       if
       :: REST == 0 || !HOLDS -> skip
       :: else -> if
          /* too old for "never seen" to prove anything: a person decides */
          :: !in_window -> if :: MAY_END -> record(REST, uncertain, id) :: else fi
          :: in_window && (REST & ~(unseen | foreign)) != 0 && !PART_OF_ANSWER -> decide(unknown, UNKNOWN_GRACE)
          :: else -> if
             :: foreign -> if :: MAY_END -> collide((COLLISION_FORGETS -> 0 : found)) :: else fi
             :: !foreign && cancelled_then -> if :: MAY_END -> record(REST, cancelled, id) :: else fi
             :: else -> decide(ready, 0)
             fi
          fi
       fi;
       printf("write_answer worker=%d\n", w); finish(); SHOW }
  /* after a refusal: only what was never seen is halved, refused or released; without an answer for all, nothing is */
  :: d_step { at[w] == informed && answer != question ->
       in_window = WINDOW_OPEN(b) || REFUSAL_WITHOUT_WINDOW || REFUSED_IS_NO || UNDOCUMENTED_IS_NO;
       record(found, accepted, id);
       if
       :: REST == 0 || !HOLDS -> skip
       :: else -> if
          :: !in_window || (REST & ~unseen) != 0 -> unconfirmed()
          :: else -> if
             :: answer == sending_refused -> pause(); decide(ready, 0)
             :: answer == row_refused && REST == 3 -> halve()
             :: answer == row_refused && REST != 3 -> if :: MAY_END -> record(REST, refused, id) :: else fi
             fi
          fi
       fi;
       printf("write_refusal worker=%d\n", w); finish(); SHOW }
  /* nobody could be asked: it stays unknown. What must stop for a refusal, stops */
  :: d_step { at[w] == cannot_ask ->
       unconfirmed(); printf("write_not_asked worker=%d\n", w); finish(); SHOW }

  /* ── death, at any point; a machine that only stands still needs no step: it simply makes none ── */
  :: d_step { DYING && at[w] != idle && MAY_FAIL -> PAY; printf("die worker=%d\n", w); finish(); SHOW }
  /* broken assumption: it claims once more from the history that was given up, which nobody else sees */
  :: d_step { OLD_DATABASE_LIVES && at[w] == idle && returns > 0 && state[0] != split ->
       b = 0; asked = ALL; id = ID(0, 0); lease[w] = LEASE; at[w] = calling; printf("claim_from_old_database worker=%d\n", w); SHOW }
  od
}
