/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes over the socketpair (SOCK_SEQPACKET: one message a packet)
 * between the supervisor and a worker.
 *
 * supervisor -> worker   'S' name length (u8) name value    one secret; while
 *                                                            it serves: again
 *                        'E' count (u8)                      that was all
 * supervisor -> worker   'B' and a descriptor                another broker
 * worker -> supervisor   'R'                                 serving
 *                        'A' at most SUPER_ALARM_SIZE bytes   an alarm
 *
 * Both ends are the same program; still each end checks every byte: a worker
 * that was taken over must not be able to do anything to the supervisor.
 */
#ifndef MERSEY_SUPER_WIRE_H
#define MERSEY_SUPER_WIRE_H

#define WIRE_SECRET 'S'
#define WIRE_END    'E'
#define WIRE_READY  'R'
#define WIRE_BROKER 'B'
#define WIRE_ALARM  'A'

/* Where a worker finds its descriptors after exec. */
#define WIRE_CONTROL_FD 3
#define WIRE_FUSE_FD	4
#define WIRE_BROKER_FD	5 /* when there is one */

#endif
