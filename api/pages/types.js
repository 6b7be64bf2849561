/**
 * What the service answers with, as far as the pages read it. Nothing here runs.
 *
 * @typedef {"queued" | "running" | "paused" | "succeeded" | "failed" | "cancelled"} JobState
 * @typedef {{trials: Record<string, number>, trials_total: number | null, seconds_used: number, seconds_left: number}} Progress
 * @typedef {{trial: number, search_score: number}} Best
 * @typedef {{trial: number, epochs: number, epochs_total: number, score: string, search_score: number, missing: string[], final_score: number | null}} Provisional
 * @typedef {{sha256: string, bytes: number, provisional: Provisional | null}} Bundle
 *
 * @typedef {object} Job
 * @property {string} id
 * @property {string} name
 * @property {string} dataset
 * @property {JobState} state
 * @property {string} wanted
 * @property {string | null} reason
 * @property {string} phase
 * @property {string | null} waiting_for
 * @property {string | null} stopped_because
 * @property {string} created_at
 * @property {string | null} started_at
 * @property {string | null} finished_at
 * @property {Progress} progress
 * @property {Best | null} best
 * @property {number | null} final_score
 * @property {string} doing
 * @property {{within_seconds: number | null} | null} finishing
 * @property {Bundle | null} bundle
 * @property {string | null} mlflow_url
 * @property {Record<string, string>} links
 *
 * @typedef {{trial: number, provenance: string, epochs: number, epochs_total: number | null, scores: number[], params: number}} Running
 * @typedef {{rank: number, role: string, trial: number, seed: number, state: string, test_score: number | null, epochs: number, seconds: number, reason: string | null}} Finalist
 *
 * @typedef {object} Plan
 * @property {number} seconds
 * @property {number} start_s
 * @property {number} search_s
 * @property {number} arm_s
 * @property {number} winner_s
 * @property {number} turns_s
 * @property {number} bundle_s
 * @property {number} architectures
 * @property {number} trainings
 * @property {number[]} rungs
 * @property {number} pass_steps
 * @property {number} final_steps
 * @property {number} final_pass_steps
 * @property {number} batch_size
 * @property {number} share
 * @property {string[]} [warnings]
 *
 * @typedef {object} Spec
 * @property {{maximize: string[], minimize: string[], constraints: string[]}} objective
 * @property {{trials: number | null, seconds: number, epochs: number | null, total_epochs: number | null}} budget
 * @property {{name: string, options: Record<string, unknown>}} controller
 * @property {{name?: string} & Record<string, unknown>} space
 * @property {number} seed
 * @property {boolean} reproducible
 *
 * @typedef {Job & {spec: Spec, running: Running[], finalists: Finalist[], plan: Plan | null, dataset_changed: string | null}} JobDetail
 *
 * @typedef {object} Columns
 * @property {number[]} number
 * @property {string[]} state
 * @property {string[]} provenance
 * @property {number[]} params
 * @property {number[]} macs
 * @property {(number | null)[]} search_score
 * @property {number[]} epochs
 * @property {number[]} attempts
 * @property {number[]} seconds
 * @property {(string | null)[]} reason
 * @property {(number | null)[]} started_at
 * @property {(number | null)[]} finished_at
 *
 * @typedef {{options: (string | number | boolean | null)[], chosen: (number | null)[]}} Choice
 * @typedef {{event: number, rows: number, columns: Columns, measures: Record<string, (number | null)[]>, choices: Record<string, Choice>}} TableAnswer
 *
 * @typedef {{id: number, kind: string, at: string, data: Record<string, any>}} JobEvent
 *
 * @typedef {{name: string, op: string, attrs?: Record<string, unknown>, inputs: string[], weights?: string | null, shape?: number[]}} ArchitectureNode
 * @typedef {{data: string, input_shape: number[], classes: number, output: string, training: Record<string, unknown>, nodes: ArchitectureNode[]}} Architecture
 * @typedef {{epoch: number, score: number, train_loss: number | null, seconds: number}} Measurement
 *
 * @typedef {object} Trial
 * @property {number} number
 * @property {string} state
 * @property {string | null} reason
 * @property {Architecture} architecture
 * @property {string} hash
 * @property {Record<string, string | number | boolean>} choices
 * @property {number} params
 * @property {number} macs
 * @property {number | null} peak_memory_mb
 * @property {number | null} search_score
 * @property {Record<string, number>} measures
 * @property {Measurement[] | null} measurements
 * @property {number} epochs
 * @property {number} attempts
 * @property {number} seconds
 * @property {string} provenance
 * @property {string | null} mlflow_url
 *
 * @typedef {{rule: string, detail: string, examples: string[]}} Finding
 *
 * @typedef {object} Dataset
 * @property {string} name
 * @property {string} format
 * @property {string} kind
 * @property {string[]} tasks
 * @property {number[]} input_shape
 * @property {number} classes
 * @property {string[]} class_names
 * @property {number[]} counts
 * @property {Record<string, number[]> | null} split_counts
 * @property {number} train
 * @property {number} val
 * @property {number} test
 * @property {number} bytes
 * @property {{findings: Finding[]} | null} check
 * @property {string[]} warnings
 * @property {string | null} created_at
 *
 * @typedef {{pointer: string, rule: string, detail: string, allowed: unknown}} Fault
 */

export {};
