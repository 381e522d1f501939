/** One of a few: a row of buttons of which one is pressed. */
export function Choice<T extends string>(props: {
  label: string;
  options: readonly T[];
  chosen: T;
  choose: (option: T) => void;
}) {
  return (
    <fieldset class="choice">
      <legend class="hidden">{props.label}</legend>
      {props.options.map((option) => (
        <button key={option} type="button" aria-pressed={option === props.chosen} onClick={() => props.choose(option)}>
          {option}
        </button>
      ))}
    </fieldset>
  );
}
