import type { JSX, TargetedPointerEvent } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { moveStep, type Step } from './composition.js';
import type { ExplainedStep, Problem } from './service.js';
import { StepCard, titleOf } from './step-card.js';
import { useFocusAfter } from './use-focus-after.js';

/** Of the button beside the list, which gets the focus when the last step is removed. */
export const ADD_STEP_ID = 'add-step';

/** A dragged step: its old and new position, and the distance. */
interface Drag {
  readonly from: number;
  readonly to: number;
  readonly by: number;
}

interface StepListProps {
  readonly steps: readonly Step[];
  readonly explained: readonly ExplainedStep[];
  readonly problem: Problem | null;
  readonly onSteps: (steps: readonly Step[]) => void;
  /** Announces a change to screen readers. */
  readonly announce: (text: string) => void;
}

/** The steps in order: dragged by their handle with a mouse or a finger, or moved by buttons and arrow keys. */
export function StepList({ steps, explained, problem, onSteps, announce }: StepListProps): JSX.Element {
  const list = useRef<HTMLOListElement>(null);
  const focus = useFocusAfter(steps);
  const [drag, setDrag] = useState<Drag | null>(null);

  const move = (from: number, to: number, by: string): void => {
    if (to < 0 || to >= steps.length || to === from) return;
    // A moved element loses the focus; the button gets it back.
    focus(by);
    onSteps(moveStep(steps, from, to));
    announce(`Step ${from + 1} is now step ${to + 1} of ${steps.length}.`);
  };

  const remove = (index: number): void => {
    const left = steps.toSpliced(index, 1);
    const neighbour = left[index] ?? left.at(-1);
    // The handle, not the remove button: holding a key then removes only one step.
    focus(neighbour === undefined ? ADD_STEP_ID : `step-${neighbour.id}-handle`);
    onSteps(left);
    announce(`Step ${index + 1} is removed.`);
  };

  const follow = (event: TargetedPointerEvent<HTMLButtonElement>, from: number): void => {
    if (event.button !== 0 || list.current === null) return;
    const handle = event.currentTarget;
    const middles = [...list.current.children].map((item) => {
      const { top, height } = item.getBoundingClientRect();
      return window.scrollY + top + height / 2;
    });
    const start = event.clientY + window.scrollY;
    const ended = new AbortController();
    const options = { signal: ended.signal };
    let to = from;
    handle.setPointerCapture(event.pointerId);
    handle.addEventListener(
      'pointermove',
      (moved) => {
        const at = moved.clientY + window.scrollY;
        to = middles.filter((middle, index) => index !== from && middle < at).length;
        setDrag({ from, to, by: at - start });
      },
      options,
    );
    const end = (apply: boolean) => (): void => {
      ended.abort();
      setDrag(null);
      if (apply) move(from, to, handle.id);
    };
    handle.addEventListener('pointerup', end(true), options);
    handle.addEventListener('pointercancel', end(false), options);
  };

  return (
    <ol class="steps" ref={list} aria-label="Steps">
      {steps.map((step, index) => {
        const id = `step-${step.id}`;
        const number = index + 1;
        const onArrow = (event: KeyboardEvent): void => {
          const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
          if (by === undefined) return;
          event.preventDefault();
          move(index, index + by, `${id}-handle`);
        };
        return (
          <li
            key={step.id}
            class="card step"
            aria-label={`Step ${number}: ${titleOf(step)}`}
            data-dragged={drag?.from === index}
            data-drop={dropSide(drag, index)}
            style={drag?.from === index ? { transform: `translateY(${drag.by}px)` } : {}}
          >
            <div class="step-head">
              <button
                type="button"
                id={`${id}-handle`}
                class="icon-button handle"
                aria-label={`Move step ${number}: drag, or use the arrow keys`}
                onPointerDown={(event) => {
                  follow(event, index);
                }}
                onKeyDown={onArrow}
              >
                <Grip />
              </button>
              <h3 class="step-title">
                <span class="step-number">{number}</span> {titleOf(step)}
              </h3>
              <button
                type="button"
                id={`${id}-up`}
                class="icon-button"
                aria-label={`Move step ${number} up`}
                aria-disabled={index === 0}
                onClick={() => {
                  move(index, index - 1, `${id}-up`);
                }}
              >
                ↑
              </button>
              <button
                type="button"
                id={`${id}-down`}
                class="icon-button"
                aria-label={`Move step ${number} down`}
                aria-disabled={index === steps.length - 1}
                onClick={() => {
                  move(index, index + 1, `${id}-down`);
                }}
              >
                ↓
              </button>
              <button
                type="button"
                class="icon-button"
                aria-label={`Remove step ${number}`}
                onClick={() => {
                  remove(index);
                }}
              >
                ×
              </button>
            </div>
            <StepCard
              step={step}
              number={number}
              explained={explained.filter((each) => each.step === number)}
              problem={problem?.step === number ? problem : null}
              onChange={(changed) => {
                onSteps(steps.map((each) => (each === step ? changed : each)));
              }}
            />
          </li>
        );
      })}
    </ol>
  );
}

function dropSide(drag: Drag | null, index: number): 'before' | 'after' | undefined {
  if (drag?.to !== index || drag.to === drag.from) return undefined;
  return drag.to < drag.from ? 'before' : 'after';
}

function Grip(): JSX.Element {
  return (
    <svg width="12" height="16" viewBox="0 0 12 16" fill="currentColor" aria-hidden="true">
      {[3, 8, 13].flatMap((y) => [3, 9].map((x) => <circle key={`${x} ${y}`} cx={x} cy={y} r="1.5" />))}
    </svg>
  );
}
