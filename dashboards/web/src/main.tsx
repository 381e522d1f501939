import { render } from "preact";
import { App } from "./app";
import { followTab } from "./shell/tab";
import { followTheme } from "./shell/theme";
import { start } from "./store";
import "uplot/dist/uPlot.min.css";
import "./style.css";

followTheme();
followTab();
start();
render(<App />, document.getElementById("app") as HTMLElement);
